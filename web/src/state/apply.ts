/** What an event makes of the jobs that are known. Nothing here asks the server. */

import { isFinal, type Job, type JobEvent } from "../wire.ts";

export interface Applied {
  jobs: ReadonlyMap<string, Job>;
  /** Told of, but not known: to be asked for. */
  unknown: ReadonlySet<string>;
}

/** Applies events in their order. One that tells of what is over already changes nothing. */
export function applyAll(before: ReadonlyMap<string, Job>, events: readonly JobEvent[]): Applied {
  const jobs = new Map(before);
  const unknown = new Set<string>();
  for (const event of events) {
    if (event.type === "job.queued") {
      // Who has asked for the job meanwhile knows more.
      if (!jobs.has(event.job.id)) {
        jobs.set(event.job.id, event.job);
      }
      continue;
    }
    const job = jobs.get(event.id);
    if (!job) {
      unknown.add(event.id);
    } else if (!isStale(job, event)) {
      jobs.set(event.id, after(job, event));
    }
  }
  return { jobs, unknown };
}

/** The newest jobs, newest first: ids sort by age. Those that have not ended are kept in any case. */
export function newest(jobs: ReadonlyMap<string, Job>, most: number): Map<string, Job> {
  const sorted = [...jobs.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
  const kept = sorted.filter((job, place) => place < most || !isFinal(job.state));
  return new Map(kept.map((job) => [job.id, job]));
}

type AfterQueued = Exclude<JobEvent, { type: "job.queued" }>;

function isStale(job: Job, event: AfterQueued): boolean {
  if (isFinal(job.state)) {
    return true;
  }
  return "attempt" in event && event.attempt < job.attempt;
}

function after(job: Job, event: AfterQueued): Job {
  switch (event.type) {
    case "job.started": {
      const { message: _, problem: __, ...rest } = job;
      const { attempt, worker, at } = event;
      return { ...rest, state: "running", attempt, worker, started_at: at, progress: 0 };
    }
    case "job.progressed": {
      const { progress, message } = event;
      return { ...job, state: "running", attempt: event.attempt, progress, message };
    }
    case "job.requeued": {
      const { message: _, worker: __, started_at: ___, ...rest } = job;
      return { ...rest, state: "queued", progress: 0, problem: event.problem };
    }
    case "job.finished":
      return {
        ...job,
        state: "finished",
        progress: 1,
        artefact: event.artefact,
        ended_at: event.at,
      };
    case "job.failed":
      return { ...job, state: "failed", problem: event.problem, ended_at: event.at };
    case "job.cancelled":
      return { ...job, state: "cancelled", ended_at: event.at };
    default:
      event satisfies never;
      return job;
  }
}
