import { InvalidArgumentError } from "../core/errors.ts";
import {
  type FilteredPage,
  MAPPING_FILTERS,
  type MappingFilterName,
} from "../translate/mapping_filters.ts";

/**
 * Turns filter names separated by commas into one filter: a page must be all of them.
 *
 * @throws {InvalidArgumentError} if one is not a filter's name
 *
 * @example Usage
 * ```ts
 * import { mappingFilters } from "@pagewalk/pagewalk/cli";
 * import { assertThrows } from "@std/assert";
 *
 * mappingFilters("kernel,w+x");
 * assertThrows(() => mappingFilters("wx"));
 * ```
 */
export function mappingFilters(text: string): (page: FilteredPage) => boolean {
  const filters = text.split(",").map((word) => {
    const name = word.trim();
    if (!Object.hasOwn(MAPPING_FILTERS, name)) {
      const known = Object.keys(MAPPING_FILTERS).join(", ");
      throw new InvalidArgumentError(`"${name}" is not a filter; the filters are ${known}`, text);
    }
    return MAPPING_FILTERS[name as MappingFilterName];
  });
  return (page) => filters.every((filter) => filter(page));
}
