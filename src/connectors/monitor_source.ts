import type { Monitor } from "../monitor/monitor.ts";
import type { OpenOptions } from "./connector.ts";
import { type GuestSource, monitorSource } from "./guest_source.ts";

/**
 * Opens a monitor as the way to a guest, and records what is said on it if that is wanted.
 *
 * @param scheme what a recording is to say of where it was made
 * @throws {RecordingError} if the recording cannot be written
 * @throws whatever opening the monitor throws
 */
export async function openMonitorSource(
  scheme: string,
  reopenMonitor: () => Promise<Monitor>,
  { record: path, onNotice }: OpenOptions,
): Promise<GuestSource> {
  const parts = { reopenMonitor, ...onNotice && { onNotice } };
  if (path === undefined) return monitorSource(await reopenMonitor(), parts);
  const { record, requireRecordable } = await import("../monitor/recording/recorder.ts");
  await requireRecordable(path);
  const monitor = await reopenMonitor();
  try {
    return monitorSource(await record(path, monitor, { endpointKind: scheme }), parts);
  } catch (error) {
    await monitor.close();
    throw error;
  }
}
