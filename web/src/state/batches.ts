/** Batches as this page knows them. */

import { signal } from "@preact/signals";
import { api } from "../api.ts";
import type { Batch, Job, Problem } from "../wire.ts";

const MOST = 20;

/** The newest, newest first. */
export const batches = signal<readonly Batch[]>([]);

export async function loadBatches(): Promise<void> {
  const answer = await api.batches(MOST);
  if (answer.ok) {
    batches.value = answer.value.batches;
  }
}

export interface Whole {
  batch: Batch;
  /** In the order in which they were asked for. */
  jobs: Job[];
}

export async function fetchBatch(id: string): Promise<Whole | Problem> {
  const [batch, jobs] = await Promise.all([api.batch(id), api.jobsOfBatch(id)]);
  if (!batch.ok) {
    return batch.problem;
  }
  return jobs.ok ? { batch: batch.value, jobs: jobs.value.jobs } : jobs.problem;
}
