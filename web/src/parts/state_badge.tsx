/** The state of a job or a worker, in a word and a colour. */

import type { JobState, WorkerState } from "../wire.ts";

const WORDS: Record<JobState | WorkerState, string> = {
  queued: "Waiting",
  running: "Running",
  finished: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  starting: "Starting",
  warm: "Ready",
  busy: "Busy",
  lost: "Lost",
};

export function StateBadge({ state }: { state: JobState | WorkerState }) {
  return <span class={`badge is-${state}`}>{WORDS[state] ?? state}</span>;
}
