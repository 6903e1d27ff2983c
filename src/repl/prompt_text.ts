import { escapeText } from "../core/escape.ts";
import type { Style } from "../report/style.ts";
import type { GuestLink } from "./guest_link.ts";

/** Writes the prompt: what kind of guest it is, whose tables are walked, and whether it was lost. */
export function promptText(guest: GuestLink, name: string, style: Style): string {
  const state = guest.isLost
    ? style.bad(" (lost)")
    : guest.isNew && name !== "sim"
    ? style.faint(" (connecting)")
    : "";
  return `${style.strong(`${name}:${escapeText(guest.choiceLabel)}`)}${state}> `;
}
