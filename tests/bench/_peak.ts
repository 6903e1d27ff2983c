// Loaded before a measured script: says on standard error how much memory the process took at most.
globalThis.addEventListener("unload", () => {
  const status = Deno.readTextFileSync("/proc/self/status");
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  console.error(`peak ${kibibytes} KiB`);
});
