/** Types for the part of `cli-progress` that is used; the package is plain JavaScript. */
declare module "cli-progress" {
  interface SingleBarOptions {
    format: string;
    barsize: number;
    clearOnComplete: boolean;
    hideCursor: boolean;
  }
  class SingleBar {
    constructor(options: SingleBarOptions, preset: unknown);
    start(total: number, startValue: number, payload: { text: string }): void;
    update(value: number, payload: { text: string }): void;
    stop(): void;
  }
  const cliProgress: { SingleBar: typeof SingleBar; Presets: { shades_classic: unknown } };
  export default cliProgress;
}
