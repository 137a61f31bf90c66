/** What has happened to a job, told so that a person reads it from top to bottom. */

import type { JobEvent, Problem } from "../wire.ts";

export interface Line {
  at: string;
  progress: number;
  message: string;
}

export interface Chapter {
  key: number;
  at: string;
  kind: "queued" | "started" | "progressed" | "requeued" | "finished" | "failed" | "cancelled";
  text: string;
  problem?: Problem;
  /** What Blender has said meanwhile. */
  lines?: Line[];
}

/** One chapter for each event, but for progress: what comes in a row is one. */
export function chaptersOf(events: readonly JobEvent[]): Chapter[] {
  const chapters: Chapter[] = [];
  for (const event of events) {
    const last = chapters.at(-1);
    if (event.type === "job.progressed") {
      const { at, progress, message } = event;
      if (last?.lines) {
        last.lines.push({ at, progress, message });
        last.text = message;
      } else {
        chapters.push({ ...begun(event), text: message, lines: [{ at, progress, message }] });
      }
    } else {
      chapters.push(chapterOf(event));
    }
  }
  return chapters;
}

/** The events once each, in their order. */
export function merged(before: readonly JobEvent[], newer: readonly JobEvent[]): JobEvent[] {
  const bySequence = new Map([...before, ...newer].map((event) => [event.sequence, event]));
  return [...bySequence.values()].sort((one, other) => one.sequence - other.sequence);
}

function chapterOf(event: Exclude<JobEvent, { type: "job.progressed" }>): Chapter {
  switch (event.type) {
    case "job.queued":
      return { ...begun(event), text: "Taken on" };
    case "job.started":
      return { ...begun(event), text: `Attempt ${event.attempt} on ${event.worker}` };
    case "job.requeued":
      return { ...begun(event), text: "Back in the queue", problem: event.problem };
    case "job.finished":
      return { ...begun(event), text: event.cached_from ? "Made by an earlier job" : "Done" };
    case "job.failed":
      return { ...begun(event), text: "Failed", problem: event.problem };
    case "job.cancelled":
      return { ...begun(event), text: "Cancelled" };
    default:
      event satisfies never;
      throw new Error("an event of no known type");
  }
}

function begun(event: JobEvent): Pick<Chapter, "key" | "at" | "kind"> {
  return {
    key: event.sequence,
    at: event.at,
    kind: event.type.slice("job.".length) as Chapter["kind"],
  };
}
