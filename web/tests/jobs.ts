/** Jobs and events for tests. */

import type { Job, JobEvent } from "../src/wire.ts";

const AT = "2026-11-21T10:00:00Z";

export function job(id: string, more: Partial<Job> = {}): Job {
  return {
    id,
    template: "mug",
    params: {},
    output: {},
    state: "queued",
    attempt: 0,
    progress: 0,
    created_at: AT,
    ...more,
  };
}

type Untold<Event> = Event extends unknown ? Omit<Event, "sequence" | "at"> : never;

let sequence = 0;

export function told(event: Untold<JobEvent>): JobEvent {
  sequence += 1;
  return { sequence, at: AT, ...event } as JobEvent;
}

export function problem(detail: string) {
  return { type: "test", title: "Test", status: 422, detail };
}
