import { moduleLine, modulesHead } from "../../report/modules_text.ts";
import type { Helper } from "../helper.ts";
import { modulesOf, useLinux } from "../linux.ts";
import { GROUPED } from "../show/group_hex.ts";
import { asRows } from "../show/rows.ts";

/** `modules()`. */
export const MODULES: Helper = {
  name: "modules",
  usage: "modules()",
  purpose: "the modules of the kernel, with bases and sizes",
  on: "linux",
  notes: [
    "The last one loaded first. Returns an array.",
    'sym() and type() find what is in them: sym("vfio:vfio_register_group_dev"), type("vfio_dma").',
  ],
  example: `
> modules()
BASE                      SIZE NAME
…
> modules().find(({ name }) => name === "vfio_iommu_type1").parts.length
1
> type("vfio_dma").module
vfio_iommu_type1
`,
  create: (repl) => () =>
    useLinux(
      repl.guest,
      async ({ linux }) =>
        asRows(await (await modulesOf(linux)).list({ signal: repl.signal }), {
          head: () => modulesHead(GROUPED),
          line: (module) => moduleLine(module, GROUPED),
        }),
    ),
};
