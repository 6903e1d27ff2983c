import { HMP } from "./hmp/mod.ts";
import { registerConnector } from "./registry.ts";

// What most checks use is known without loading the other connectors.
registerConnector(HMP);
