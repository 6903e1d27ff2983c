import { PagewalkError } from "../../src/core/errors.ts";

/**
 * A part of the lab cannot be had on this machine: a tool, a package, the network. Tests skip on
 * it, unless they run where everything must be there (`CI=true`).
 */
export class LabUnavailableError extends PagewalkError {}

/** The lab was built or started, and then something went wrong. */
export class LabError extends PagewalkError {}
