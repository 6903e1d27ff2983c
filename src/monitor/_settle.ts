import type { CommandJob } from "./_command_job.ts";
import { NoSuchCpuError, QmpError } from "./errors.ts";
import type { QmpMessage } from "./qmp_codec.ts";
import { errorFromReply } from "./reply_errors.ts";

/** Who answers. */
export interface AnswerOrigin {
  /** What the client is connected to, as a user would type it. */
  endpoint: string;
  /** QEMU's version, or empty if it announced none. */
  qemuVersion: string;
}

/** QMP's refusal of a command. */
export type QmpRefusal = Extract<QmpMessage, { kind: "error" }>;

/** Returns the monitor's text with the line ends of this side, and without the last. */
export function plainLines(text: string): string {
  const lines = text.replaceAll("\r\n", "\n");
  return lines.endsWith("\n") ? lines.slice(0, -1) : lines;
}

/** Gives a caller the monitor's reply, or the error that its text stands for. */
export function settleByReply(job: CommandJob, reply: string, origin: AnswerOrigin): void {
  const { endpoint, qemuVersion } = origin;
  const error = errorFromReply(reply, { endpoint, qemuVersion, command: job.line });
  if (error === null) job.resolve(reply);
  else job.reject(error);
}

/** Gives a caller the error that a refusal stands for. QMP tells of an unknown vCPU by the argument's name. */
export function settleByRefusal(job: CommandJob, refusal: QmpRefusal, origin: AnswerOrigin): void {
  const { endpoint } = origin;
  const { line: command, cpu } = job;
  if (cpu === undefined || !/'cpu-index'/.test(refusal.description)) {
    return job.reject(qmpError(command, refusal, endpoint));
  }
  const message = `The guest at ${endpoint} has no vCPU ${cpu}: "info cpus" lists those it has`;
  job.reject(new NoSuchCpuError(cpu, message, { endpoint, command }));
}

/** The error of a command that QEMU refuses. */
export function qmpError(command: string, refusal: QmpRefusal, endpoint: string): QmpError {
  const { qmpClass, description } = refusal;
  const message = `QEMU at ${endpoint} refused "${command}": ${description} (${qmpClass})`;
  return new QmpError(qmpClass, description, message, { endpoint, command });
}
