/** Which picture of each running job is the newest. The pictures themselves are asked for by who shows them. */

import { signal } from "@preact/signals";
import type { FleetEvent } from "../wire.ts";

/** By the id of the job: differs from that of every other picture of it. */
export const newestPictures = signal<ReadonlyMap<string, string>>(new Map());

/** Notes newer pictures, and forgets those of jobs that have ended. */
export function notePictures(events: readonly FleetEvent[], isUnderWay: (id: string) => boolean) {
  const told = events.filter((event) => event.type === "job.preview");
  if (told.length === 0) {
    return;
  }
  const kept = [...newestPictures.value].filter(([id]) => isUnderWay(id));
  const newer = told.map((event): [string, string] => [
    event.id,
    `${event.attempt}-${event.number}`,
  ]);
  newestPictures.value = new Map([...kept, ...newer]);
}
