import { PagewalkError } from "../core/errors.ts";

/** A file that is not an ELF file, is damaged, or holds something that is not read. */
export class ElfFormatError extends PagewalkError {
  /** Creates the error; the problem completes "The ELF file …". */
  constructor(problem: string, options?: ErrorOptions) {
    super(`The ELF file ${problem}`, options);
  }
}

/** The guest does not run the kernel of the file that was named. */
export class WrongKernelError extends PagewalkError {}
