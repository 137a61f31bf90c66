/** The fleet as this page knows it: what was asked for, and what has happened since. */

import { batch, computed, signal } from "@preact/signals";
import { api } from "../api.ts";
import {
  type FleetEvent,
  isJobEvent,
  type Job,
  type Problem,
  type Schema,
  type Template,
  type Worker,
} from "../wire.ts";
import { applyAll, newest } from "./apply.ts";
import { batches, loadBatches } from "./batches.ts";
import { follow } from "./feed.ts";
import { notePictures } from "./pictures.ts";

/** So many jobs are kept besides those that have not ended. */
const MOST_JOBS = 200;
/** Workers are asked for again: their memory changes without an event. */
const WORKERS_MS = 5000;

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
export const workers = signal<readonly Worker[]>([]);
export const templates = signal<readonly Template[] | null>(null);
/** What a job may say of its picture. */
export const outputSchema = signal<Schema | null>(null);
/** Whether all of it has been asked for once. */
export const isLoaded = signal(false);
/** Why it could not be, the last time. */
export const loadProblem = signal<Problem | null>(null);
/** Whether what happens is told of at once. */
export const isLive = signal(false);
/** The time, for what counts up while one looks. */
export const now = signal(Date.now());

const newestFirst = computed(() =>
  [...jobs.value.values()].sort((one, other) => (one.id < other.id ? 1 : -1)),
);
export const running = computed(() => newestFirst.value.filter((job) => job.state === "running"));
/** As they will be taken: those of higher priority first, then the older ones. */
export const waiting = computed(() =>
  newestFirst.value
    .filter((job) => job.state === "queued")
    .reverse()
    .sort((one, other) => (other.priority ?? 0) - (one.priority ?? 0)),
);
export const ended = computed(() =>
  newestFirst.value.filter((job) => job.state !== "running" && job.state !== "queued"),
);

/** The pools that have workers. */
export const pools = computed(() =>
  [...new Set(workers.value.flatMap(({ pool }) => (pool === undefined ? [] : [pool])))].sort(),
);

/** Keeps all of it up to date until the function that is returned is called. */
export function keepUp(): () => void {
  const unfollow = follow("/api/v1/events?topics=job,worker", {
    happened,
    opened: () => {
      isLive.value = true;
      void load();
    },
    lost: () => {
      isLive.value = false;
    },
  });
  const asking = setInterval(() => {
    if (document.visibilityState === "visible") {
      void refreshWorkers();
    }
  }, WORKERS_MS);
  const ticking = setInterval(() => {
    now.value = Date.now();
  }, 500);
  void load();
  return () => {
    unfollow();
    clearInterval(asking);
    clearInterval(ticking);
    clearTimeout(refreshing);
    refreshing = undefined;
    batch(() => {
      isLive.value = false;
      isLoaded.value = false;
      jobs.value = new Map();
      workers.value = [];
      batches.value = [];
      templates.value = null;
      outputSchema.value = null;
    });
  };
}

/** Asks for a job that may be older than those that are kept. */
export async function fetchJob(id: string): Promise<Problem | null> {
  const answer = await api.job(id);
  if (!answer.ok) {
    return answer.problem;
  }
  put([answer.value]);
  return null;
}

export async function cancelJob(id: string): Promise<Problem | null> {
  const answer = await api.cancel(id);
  if (!answer.ok) {
    return answer.problem;
  }
  put([answer.value]);
  return null;
}

export async function loadTemplates(): Promise<Problem | null> {
  const answer = await api.templates();
  if (!answer.ok) {
    return answer.problem;
  }
  templates.value = answer.value.templates;
  return null;
}

/** What an answer says of jobs is newer than what is known. */
export function put(newer: readonly Job[]): void {
  const merged = new Map(jobs.value);
  for (const job of newer) {
    merged.set(job.id, job);
  }
  jobs.value = newest(merged, MOST_JOBS);
}

async function load(): Promise<void> {
  const [ofJobs, ofWorkers] = await Promise.all([api.jobs(MOST_JOBS), api.workers()]);
  batch(() => {
    if (!ofJobs.ok || !ofWorkers.ok) {
      loadProblem.value = ofJobs.ok ? (ofWorkers.ok ? null : ofWorkers.problem) : ofJobs.problem;
      return;
    }
    put(ofJobs.value.jobs);
    workers.value = ofWorkers.value.workers;
    loadProblem.value = null;
    isLoaded.value = true;
  });
  await Promise.all([loadTemplates(), loadOutputSchema(), loadBatches()]);
}

async function loadOutputSchema(): Promise<void> {
  const answer = await api.description();
  const described = answer.ok ? answer.value.components?.schemas?.OutputRequest : undefined;
  outputSchema.value = described ?? outputSchema.value ?? {};
}

function happened(events: FleetEvent[]): void {
  notePictures(events, (id) => jobs.value.get(id)?.state === "running");
  const ofJobs = events.filter(isJobEvent);
  const { jobs: after, unknown } = applyAll(jobs.value, ofJobs);
  jobs.value = newest(after, MOST_JOBS);
  for (const id of unknown) {
    void fetchJob(id);
  }
  if (events.some((event) => !OF_NO_WORKER.has(event.type))) {
    refreshWorkersSoon();
  }
}

/** What changes nothing at any worker. */
const OF_NO_WORKER: ReadonlySet<string> = new Set(["job.progressed", "job.preview", "job.queued"]);

let refreshing: ReturnType<typeof setTimeout> | undefined;

/** Once for however many events: which worker is at what. */
function refreshWorkersSoon(): void {
  refreshing ??= setTimeout(() => {
    refreshing = undefined;
    void refreshWorkers();
  }, 200);
}

async function refreshWorkers(): Promise<void> {
  const before = templates.value?.length ?? 0;
  const [answer] = await Promise.all([api.workers(), loadBatches()]);
  if (!answer.ok) {
    return;
  }
  workers.value = answer.value.workers;
  // They are known when the first worker is ready.
  if (before === 0 && answer.value.workers.some((worker) => worker.state === "warm")) {
    await loadTemplates();
  }
}
