/**
 * What a further way to reach guests, or a further kind of page tables, is made of: the shapes of a
 * connector, of an architecture and of its regimes, and where they are registered.
 *
 * @example The architectures that are known
 * ```ts
 * import { ARCHITECTURES } from "@pagewalk/pagewalk/extend";
 * import { assert } from "@std/assert";
 *
 * assert(ARCHITECTURES.some(({ name }) => name === "x86"));
 * ```
 *
 * @module
 */
export {
  type Connector,
  type GuestSource,
  monitorSource,
  type MonitorSourceOptions,
  type OpenOptions,
} from "../connectors/connector.ts";
export { registerConnector } from "../connectors/registry.ts";
export type { ParseRest } from "../monitor/endpoint.ts";
export type { Transport } from "../monitor/transport.ts";
export type { AccessRule } from "../arch/access_rule.ts";
export type { Architecture } from "../arch/architecture.ts";
export { ARCHITECTURES, registerArchitecture } from "../arch/architectures.ts";
export type {
  DumpedMachine,
  Printed,
  RegisterFormats,
  StubRegister,
  StubRegisters,
} from "../arch/register_formats.ts";
export type { CpuColumn, RegisterNames, RegisterRow } from "../arch/register_names.ts";
export { type AddressSpan, levelDecoders, type RegimeRules } from "../translate/regime.ts";
export {
  type BitField,
  type EntryMarker,
  type LevelDecoder,
  type LevelFormat,
  tableIndex,
} from "../translate/entry.ts";
export { fieldDecoder, type FieldDecoderOptions } from "../translate/field_decoder.ts";
export type {
  DirectMap,
  KernelArea,
  KernelLayout,
  KernelRegion,
} from "../translate/kernel_layout.ts";
export {
  type DecidingLevels,
  everyLevelGrants,
  type RightBit,
  type RightsRule,
  type RightsSoFar,
  type SettledRights,
} from "../translate/rights.ts";
export type {
  SecondStageMemory,
  SecondStagePart,
  SecondStageRecord,
  TranslatedPages,
  TranslatedPagesOptions,
} from "../translate/second_stage_rule.ts";
export type { TableViews, ViewsRule } from "../translate/views_rule.ts";
