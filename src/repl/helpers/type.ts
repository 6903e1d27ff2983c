import type { LayoutMember, StructLayout } from "../../linux/btf/btf.ts";
import { layoutText, memberLine } from "../../report/layout_text.ts";
import type { Style } from "../../report/style.ts";
import type { Helper } from "../helper.ts";
import { modulesOf, typeNames, useLinux } from "../linux.ts";
import { showAs } from "../show/renderers.ts";
import { asRows, moreText, SHOWN_ROWS } from "../show/rows.ts";

/** `type(name)`. */
export const TYPE: Helper = {
  name: "type",
  usage: "type(name)",
  purpose: "the layout of a struct or union of the kernel or a module",
  takesText: true,
  on: "linux",
  notes: [
    "From the type data (BTF) of the kernel, of which some megabytes are read once, and of its modules;",
    'null if none has that name. type("vfio:vfio_group") is that of one module.',
  ],
  example: `
> type("list_head")
struct list_head {
  /*     0 */ struct list_head * next;
  /*     8 */ struct list_head * prev;
} /* 16 bytes */
> type("task_struct")
struct task_struct {
…
… more of …: _.members.slice(40) shows the next
} /* … bytes */
> _.members.filter(({ name }) => name === "pid")
  /* … */ pid_t pid;
`,
  complete: typeNames,
  create: (repl) => (name: string) =>
    useLinux(repl.guest, async ({ linux }) => {
      const layout = await linux.type(name) ?? await (await modulesOf(linux)).type(name);
      if (layout) asRows(layout.members as LayoutMember[], { line: memberLine });
      return layout && showAs(layout, shortLayoutText);
    }),
};

/** The layout, with as many members as fit on a screen. */
function shortLayoutText(layout: StructLayout, style: Style): string {
  const { members } = layout;
  const lines = members.slice(0, SHOWN_ROWS).map(memberLine);
  if (members.length > SHOWN_ROWS) {
    lines.push(moreText(members.length, SHOWN_ROWS, style, "_.members"));
  }
  return layoutText(layout, { style, lines });
}
