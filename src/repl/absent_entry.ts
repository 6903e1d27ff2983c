import { PagewalkError } from "../core/errors.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { TableSource } from "../session/table_choice.ts";
import type { NotPresentContent, PageTableEntry } from "../translate/entry.ts";
import type { Regime } from "../translate/regime.ts";
import type { GuestLink } from "./guest_link.ts";
import { useLinux } from "./linux.ts";

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
  const isPlain = content.kind === "protNone" ? place === undefined : content.kind !== "special";
  if (isPlain) return content;
  try {
    return await useLinux(guest, ({ linux }) => nameIn(linux, content, place));
  } catch (error) {
    if (error instanceof PagewalkError) return content;
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
