import config from "../../deno.json" with { type: "json" };

/** The version of this package, in the notation of Semantic Versioning. */
export const VERSION: string = config.version;
