import { assertEquals } from "@std/assert";
import { qemuPath } from "../../src/testing/mod.ts";

/** Namespaces need root, and not every container lets even root have them. */
export const canHavePrivateLibvirt: boolean = Deno.uid() === 0 &&
  await succeeds("test", "-x", "/usr/sbin/libvirtd") &&
  await succeeds("unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt");

/** A libvirtd of the test's own, and the `virsh` on PATH that talks to it. */
export class PrivateLibvirt implements AsyncDisposable {
  readonly #folder: string;
  readonly #path = Deno.env.get("PATH") ?? "";
  readonly #child: Deno.ChildProcess;
  /** The process in the namespaces by whose number they are entered. */
  #insider = 0;
  #daemon = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    const script = new URL("private_libvirt.sh", import.meta.url).pathname;
    this.#child = new Deno.Command("unshare", {
      args: ["--mount", "--pid", "--fork", "--kill-child", "sh", script, folder],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  static async start(): Promise<PrivateLibvirt> {
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-libvirt-" });
    const libvirt = new PrivateLibvirt(folder);
    await libvirt.#listening();
    Deno.env.set("PATH", `${folder}:${libvirt.#path}`);
    return libvirt;
  }

  /** Starts a domain with nothing in it but firmware. */
  async create(domain: string): Promise<void> {
    const file = `${this.#folder}/domain.xml`;
    await Deno.writeTextFile(file, domainXml(domain));
    await this.virsh("create", file);
  }

  /** Runs one virsh, and returns what it says. */
  async virsh(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("virsh", { args }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  }

  /** Sends a signal to a domain's QEMU. */
  async signalQemu(domain: string, signal: "STOP" | "CONT" | "KILL" | "0"): Promise<void> {
    await this.#inside(`kill -${signal} "$(cat /run/libvirt/qemu/${domain}.pid)"`);
  }

  /** Sends a signal to libvirtd. */
  async signalDaemon(signal: "STOP" | "CONT" | "KILL"): Promise<void> {
    await this.#inside(`kill -${signal} ${this.#daemon}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.env.set("PATH", this.#path);
    await this.#child.stdin.close();
    await this.#child.status;
    await this.#child.stdout.cancel();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #listening(): Promise<void> {
    const output = this.#child.stdout.getReader();
    this.#daemon = Number(new TextDecoder().decode((await output.read()).value));
    output.releaseLock();
    const { pid } = this.#child;
    this.#insider = Number(await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`));
    await Deno.writeTextFile(
      `${this.#folder}/virsh`,
      `#!/bin/sh\nexec nsenter --target ${this.#insider} --mount /usr/bin/virsh "$@"\n`,
      { mode: 0o755 },
    );
    await this.#inside("until [ -S /run/libvirt/libvirt-sock ]; do sleep 0.05; done");
  }

  async #inside(script: string): Promise<void> {
    const args = ["--target", `${this.#insider}`, "--mount", "--pid", "sh", "-c", script];
    assertEquals(await succeeds("nsenter", ...args), true, script);
  }
}

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function domainXml(name: string): string {
  const binary = qemuPath().includes("/") ? qemuPath() : `/usr/bin/${qemuPath()}`;
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>
    <devices><emulator>${binary}</emulator><memballoon model='none'/></devices></domain>`;
}
