import { PagewalkError } from "../core/errors.ts";
import { MonitorError } from "../monitor/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { KernelModules } from "../linux/modules/kernel_modules.ts";
import type { RunningTask } from "../linux/running_tasks.ts";
import { symbolName } from "../report/symbol_text.ts";
import type { Session } from "../session/session.ts";
import type { TableChoice, TableSource } from "../session/table_choice.ts";
import type { NotPresentContent, PageTableEntry } from "../translate/entry.ts";
import type { Regime } from "../translate/regime.ts";
import type { GuestLink } from "./guest_link.ts";
import type { HelperContext } from "./helper.ts";

/** What a guest's Linux is asked with. */
export interface LinuxInUse {
  readonly linux: LinuxGuest;
  readonly session: Session;
  readonly choice: TableChoice;
}

const attached = new WeakMap<Session, LinuxGuest>();

/** Asks the guest's Linux something; it is found first, if this is the first time. */
export function useLinux<T>(guest: GuestLink, ask: (use: LinuxInUse) => Promise<T>): Promise<T> {
  return guest.use(async (session, choice) => {
    const linux = await session.linux();
    attached.set(session, linux);
    return await ask({ linux, session, choice });
  });
}

/** What the vCPUs run, where the guest's Linux is known: it is not looked for only to say this. */
export async function tasksOf(guest: GuestLink, cpus: number): Promise<readonly RunningTask[]> {
  const session = guest.current;
  const linux = session && attached.get(session);
  if (!linux) return [];
  try {
    return await linux.isCurrent() ? await linux.runningTasks(cpus) : [];
  } catch (error) {
    if (error instanceof PagewalkError) return [];
    throw error;
  }
}

/** The kernel's image lies in 1 GiB: arch/x86/include/asm/page_64_types.h, KERNEL_IMAGE_SIZE. */
const IMAGE_BYTES = 1n << 30n;
/** Calls between the image and modules have 32 bits, so that they lie as near to each other. */
const MODULES_WITHIN = 1n << 31n;

/**
 * Names a kernel address: `default_idle+0xb`, `vfio_pci_open+0x1c [vfio_pci]`. Null if it is none, or if
 * nobody asked for the guest's Linux yet: it is not looked for only to print a number.
 */
export async function symbolText(guest: GuestLink, address: bigint): Promise<string | null> {
  const session = guest.current;
  const linux = session && attached.get(session);
  if (!linux || address >> 63n === 0n) return null;
  const distance = address - linux.text;
  if (distance >= MODULES_WITHIN || -distance > MODULES_WITHIN) return null;
  try {
    // After a reboot the kernel lies elsewhere.
    if (!await linux.isCurrent()) return null;
    const isInImage = distance >= 0n && distance < IMAGE_BYTES;
    const found = isInImage && await linux.symbolAt(address) ||
      await (await modulesOf(linux)).symbolAt(address);
    return found && symbolName(found);
  } catch (error) {
    // The number is what was asked for, and is printed without its name too.
    if (error instanceof PagewalkError) return null;
    throw error;
  }
}

/** Where an entry was met: the address that led to it, and by whose tables. */
export interface EntryPlace {
  readonly address: bigint;
  readonly context: Regime;
  readonly source: TableSource;
}

/**
 * Says what an entry that is not present means to the guest's Linux, and to the memory area that the address
 * lies in. On a guest without Linux, or one that does not tell, it is as it was.
 */
export async function nameAbsentEntry(
  guest: GuestLink,
  content: NotPresentContent,
  place?: EntryPlace,
): Promise<NotPresentContent> {
  const isPlain = content.kind === "protNone" && place === undefined;
  if (isPlain || content.kind === "empty" || content.kind === "marker") return content;
  try {
    return await useLinux(guest, ({ linux }) => nameIn(linux, content, place));
  } catch (error) {
    // A monitor that is lost is no reason to say less of an entry.
    if (error instanceof PagewalkError && !(error instanceof MonitorError)) return content;
    throw error;
  }
}

const named = new WeakMap<object, NotPresentContent>();

/** Remembers what the entry that a walk ended at means where it ended. */
export function rememberMeaning(entry: PageTableEntry, content: NotPresentContent): void {
  named.set(entry, content);
}

/** What was remembered of an entry. */
export function meaningOf(entry: object): NotPresentContent | undefined {
  return named.get(entry);
}

async function nameIn(
  linux: LinuxGuest,
  content: NotPresentContent,
  place: EntryPlace | undefined,
): Promise<NotPresentContent> {
  if (content.kind !== "protNone" || place === undefined) return await linux.nameAbsent(content);
  const { AddressNamer } = await import("../session/address_namer.ts");
  return (await AddressNamer.of(linux, place)).meaningAt(place.address, content);
}

/** The modules of a kernel: loaded only where one is asked for. */
export async function modulesOf(linux: LinuxGuest): Promise<KernelModules> {
  const { kernelModules } = await import("../linux/modules/kernel_modules.ts");
  return kernelModules(linux);
}

/** The names of the processes with memory; none where no Linux is found. */
export function processNames({ guest }: HelperContext): Promise<readonly string[]> {
  return namesFrom(guest, async (linux) => {
    const all = await linux.processes();
    return all.filter(({ root }) => root !== null).map(({ comm }) => comm);
  });
}

/** The names of the symbols of the kernel and its modules. */
export function symbolNames({ guest }: HelperContext): Promise<readonly string[]> {
  return namesFrom(guest, async (linux) => [
    ...(await linux.symbols()).map(({ name }) => name),
    ...(await (await modulesOf(linux)).symbols()).symbols.map(({ name }) => name),
  ]);
}

/** The names of the kernel's structs and unions, and of its other types. */
export function typeNames({ guest }: HelperContext): Promise<readonly string[]> {
  return namesFrom(guest, (linux) => linux.typeNames());
}

/** Names for completion: a guest without Linux, or without what is asked for, has none. */
async function namesFrom(
  guest: GuestLink,
  list: (linux: LinuxGuest) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await useLinux(guest, ({ linux }) => list(linux));
  } catch (error) {
    if (error instanceof PagewalkError) return [];
    throw error;
  }
}
