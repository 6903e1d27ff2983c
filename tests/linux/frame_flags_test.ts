/** A bit of a frame's flags has the name that it has for this kind of memory. */
import { assertEquals } from "@std/assert";
import { flagNamesOf } from "../../src/linux/frame_layout.ts";

Deno.test("a frame's flags: the first name of each bit, and anonymous memory's own", () => {
  // enum pageflags of 6.1, in part.
  const flags = new Map([
    ["PG_locked", 0],
    ["PG_uptodate", 2],
    ["PG_owner_priv_1", 10],
    ["PG_mappedtodisk", 16],
    ["__NR_PAGEFLAGS", 23],
    ["PG_anon_exclusive", 16],
    ["PG_checked", 10],
    ["PG_swapcache", 10],
    ["PG_reported", 2],
  ]);
  assertEquals(flagNamesOf(flags).map(({ bit, name, anonymous }) => [bit, name, anonymous]), [
    [0, "locked", "locked"],
    [2, "uptodate", "uptodate"],
    [10, "owner_priv_1", "swapcache"],
    [16, "mappedtodisk", "anon_exclusive"],
  ]);
  assertEquals(flagNamesOf(null), []);
});
