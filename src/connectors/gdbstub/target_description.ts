import { FramingError } from "../../monitor/hmp_codec.ts";

/**
 * Numbers the registers of a target description (GDB manual, appendix G): each `<reg>` is one more than
 * the one before, unless it has a `regnum`.
 *
 * QEMU's `i386-64bit.xml` has `<reg>` lines inside comments; counted, they would make every number after
 * them too high by two (5.2 to 11.1).
 */
export function registerNumbers(xml: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const [, attributes] of withoutComments(xml).matchAll(/<reg\b([^<>]*)>/g)) {
    const regnum = attribute(attributes!, "regnum");
    if (regnum !== undefined) next = Number(regnum);
    numbers.set(attribute(attributes!, "name") ?? "", next++);
  }
  return numbers;
}

/** The further files that a description includes, in order. */
export function includedFiles(xml: string): string[] {
  return [...withoutComments(xml).matchAll(/<xi:include\b([^<>]*)>/g)].map(([, attributes]) => {
    const href = attribute(attributes!, "href");
    if (href === undefined) throw new FramingError("a target description includes no file");
    return href;
  });
}

/** In linear time, as a pattern that looks for the end of each would not be if there is none. */
function withoutComments(xml: string): string {
  const [first = "", ...others] = xml.split("<!--");
  let text = first;
  for (const part of others) {
    const end = part.indexOf("-->");
    if (end >= 0) text += part.slice(end + "-->".length);
  }
  return text;
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(`\\b${name}=["']([^"']*)["']`).exec(attributes)?.[1];
}
