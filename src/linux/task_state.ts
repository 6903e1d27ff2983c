/**
 * What a task does, as `ps` writes it: `R` runs or could, `S` sleeps, `D` sleeps and cannot be woken
 * by signals, `T` stopped, `t` traced, `X` dead, `Z` zombie, `P` parked, `I` idle kernel thread.
 */
export type TaskState = "R" | "S" | "D" | "T" | "t" | "X" | "Z" | "P" | "I";

// include/linux/sched.h and task_state_index() in it; the values have stood since 4.14.
const TASK_UNINTERRUPTIBLE = 0x2;
const TASK_REPORT = 0x7f;
const TASK_IDLE = 0x402;
const TASK_RTLOCK_WAIT = 0x1000;
const TASK_FROZEN = 0x8000;
const LETTERS = "RSDTtXZP";

/** Turns `task_struct.__state` and `exit_state` into the letter. */
export function taskState(state: number, exitState: number): TaskState {
  if ((state & TASK_IDLE) === TASK_IDLE) return "I";
  const waits = state & (TASK_RTLOCK_WAIT | TASK_FROZEN) ? TASK_UNINTERRUPTIBLE : 0;
  const reported = (state | exitState | waits) & TASK_REPORT;
  return LETTERS[32 - Math.clz32(reported)] as TaskState;
}
