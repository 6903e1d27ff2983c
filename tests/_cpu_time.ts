import process from "node:process";

/**
 * The processor time that this process has used so far, in milliseconds. What else runs on the machine
 * does not add to it, as it does to the time on a clock: so a bound holds on a busy machine too.
 */
export function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
