import type { ListedPage } from "./listing_records.ts";

/** What a filter looks at. */
export type FilteredPage = Pick<ListedPage, "leaf" | "effective">;

/** The name of a filter. */
export type MappingFilterName =
  | "user"
  | "kernel"
  | "writable"
  | "executable"
  | "w+x"
  | "leaf-user";

/** Filters for pages by name. But for `leaf-user` they ask what all levels leave. */
export const MAPPING_FILTERS: Readonly<
  Record<MappingFilterName, (page: FilteredPage) => boolean>
> = {
  /** User mode may touch it. */
  "user": ({ effective }) => effective.user,
  /** Only the supervisor may touch it. */
  "kernel": ({ effective }) => !effective.user,
  /** It may be written. */
  "writable": ({ effective }) => effective.writable,
  /** It may be executed. */
  "executable": ({ effective }) => effective.executable,
  /** It may be written and executed. */
  "w+x": ({ effective }) => effective.writable && effective.executable,
  /** Its own entry sets `_PAGE_USER`, whatever the levels above say. */
  "leaf-user": ({ leaf }) => leaf.user,
};
