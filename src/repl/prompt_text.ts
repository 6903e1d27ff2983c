import type { Style } from "../report/style.ts";
import type { GuestLink } from "./guest_link.ts";

/** Writes the prompt: what kind of guest it is, whose tables are walked, and whether it was lost. */
export function promptText(guest: GuestLink, name: string, style: Style): string {
  const lost = guest.isLost ? style.bad(" (lost)") : "";
  return `${style.strong(`${name}:${guest.choiceLabel}`)}${lost}> `;
}
