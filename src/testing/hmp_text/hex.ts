/** Writes a value in lower-case hexadecimal with at least so many digits and no prefix. */
export function hex(value: bigint | number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
