/** Receives one line for each step that takes time. */
export type Progress = (line: string) => void;

/** Says nothing. */
export function silent(_line: string): void {}
