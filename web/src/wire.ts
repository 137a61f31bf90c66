/**
 * What the server says, as `crates/wire` has it. `tests/wire.test.ts` compares the names of states and
 * events with the Rust sources.
 */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export const JOB_STATES = ["queued", "running", "finished", "failed", "cancelled"] as const;
export type JobState = (typeof JOB_STATES)[number];

export const WORKER_STATES = ["starting", "warm", "busy", "lost"] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** An RFC 9457 problem. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  hint?: string;
  retry_after?: number;
  errors?: FieldProblem[];
  crash_text?: string;
}

export interface FieldProblem {
  /** An RFC 6901 pointer into the request, as in `/params/colour`. */
  pointer: string;
  detail: string;
}

export interface Artefact {
  hash: string;
  content_type: string;
  bytes: number;
}

export interface JobRequest {
  template: string;
  params: Record<string, Json>;
  output: Record<string, Json>;
  priority?: number;
  timeout_seconds?: number;
  pool?: string;
  webhook?: Webhook;
}

export interface Webhook {
  url: string;
  events?: string[];
}

export interface Job extends JobRequest {
  id: string;
  state: JobState;
  attempt: number;
  crashes?: number;
  /** From 0 to 1. */
  progress: number;
  message?: string;
  worker?: string;
  batch?: string;
  artefact?: Artefact;
  problem?: Problem;
  created_at: string;
  started_at?: string;
  ended_at?: string;
}

/** One request, many jobs that differ in their frames or their parameters. */
export interface Batch {
  id: string;
  template: string;
  state: JobState;
  jobs: Record<JobState | "total", number>;
  /** From 0 to 1, of all jobs together. */
  progress: number;
  created_at: string;
  ended_at?: string;
}

export interface BatchRequest {
  job: JobRequest;
  /** As in `1-24x2,30`. */
  frames?: string;
  /** Parameters and the values that each is to take: all combinations. */
  matrix?: Record<string, Json[]>;
  webhook?: Webhook;
}

export interface Worker {
  id: string;
  state: WorkerState;
  pid: number | null;
  blender_version: string | null;
  job: string | null;
  jobs_done: number;
  problem?: Problem;
  pool?: string;
  /** What it renders on, as in `cuda:0`; the processor, if left out. */
  device?: string;
  /** Only of workers on the node that was asked. */
  resident_bytes?: number;
  /** So many in a row have gone from its place without having done a job. */
  failures?: number;
}

export interface Template {
  name: string;
  description: string;
  params_schema: Schema;
  /** What it makes; the first is what it makes if a job asks for nothing else. */
  formats?: string[];
  broken?: string;
}

/** As much of a JSON Schema as templates have. */
export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: Json;
  enum?: Json[];
  const?: Json;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  contentEncoding?: string;
  contentMediaType?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  prefixItems?: Schema[];
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  anyOf?: Schema[];
}

export interface Principal {
  name: string;
  scope: "read" | "control" | "files" | "exec" | "admin";
}

export const EVENT_NAMES = [
  "job.queued",
  "job.started",
  "job.progressed",
  "job.preview",
  "job.requeued",
  "job.finished",
  "job.failed",
  "job.cancelled",
  "worker.ready",
  "worker.recycled",
  "worker.lost",
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

interface Told {
  sequence: number;
  at: string;
}

export type JobEvent = Told &
  (
    | { type: "job.queued"; job: Job }
    | { type: "job.started"; id: string; attempt: number; worker: string }
    | { type: "job.progressed"; id: string; attempt: number; progress: number; message: string }
    | { type: "job.requeued"; id: string; attempt: number; problem: Problem }
    | {
        type: "job.finished";
        id: string;
        attempt: number;
        artefact: Artefact;
        cached_from?: string;
      }
    | { type: "job.failed"; id: string; attempt: number; problem: Problem }
    | { type: "job.cancelled"; id: string }
  );

/** There is a newer picture of a job. Kept nowhere, so none of this is in the job's story. */
export type PreviewEvent = Told & {
  type: "job.preview";
  id: string;
  attempt: number;
  number: number;
};

export type WorkerEvent = Told &
  (
    | { type: "worker.ready"; worker: string }
    | { type: "worker.recycled"; worker: string; reason: string }
    | { type: "worker.lost"; worker: string; problem: Problem }
  );

export type FleetEvent = JobEvent | PreviewEvent | WorkerEvent;

export function isJobEvent(event: FleetEvent): event is JobEvent {
  return event.type.startsWith("job.") && event.type !== "job.preview";
}

export function isFinal(state: JobState): boolean {
  return state === "finished" || state === "failed" || state === "cancelled";
}
