import { DUMP } from "./dump/mod.ts";
import { GDBSTUB } from "./gdbstub/mod.ts";
import "./human_monitor.ts";
import { LIBVIRT } from "./libvirt/mod.ts";
import { QMP } from "./qmp/mod.ts";
import { registerConnector } from "./registry.ts";
import { REPLAY } from "./replay/mod.ts";
import { SIM } from "./sim/mod.ts";

// Every connector that pagewalk has, in the order in which usage texts list them, the human monitor
// before all. A further one is one folder beside these and one row here.
registerConnector(QMP);
registerConnector(GDBSTUB);
registerConnector(LIBVIRT);
registerConnector(DUMP);
registerConnector(REPLAY);
registerConnector(SIM);
