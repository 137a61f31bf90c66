/** Asks the server. Whatever goes wrong comes back as a problem, also when nobody has answered. */

import type {
  Batch,
  BatchRequest,
  Job,
  JobRequest,
  Json,
  Principal,
  Problem,
  Schema,
  Template,
  Worker,
} from "./wire.ts";

export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** The `type` of the problem that no server has answered. */
export const UNREACHABLE = "unreachable";

export const api = {
  me: () => ask<Principal>("GET", "/api/v1/me"),
  logInByToken: (token: string) => ask<Principal>("POST", "/login", { token }),
  logInByCode: (code: string) => ask<Principal>("POST", "/login", { code }),
  logOut: () => ask<null>("POST", "/logout"),
  jobs: (limit: number) => ask<{ jobs: Job[] }>("GET", `/api/v1/jobs?limit=${limit}`),
  job: (id: string) => ask<Job>("GET", `/api/v1/jobs/${id}`),
  cancel: (id: string) => ask<Job>("DELETE", `/api/v1/jobs/${id}`),
  submit: (request: JobRequest, key: string) =>
    ask<Job>("POST", "/api/v1/jobs", request as unknown as Json, { "Idempotency-Key": key }),
  /** Sends a file that a job is to use; its name is the value of a parameter. */
  send: (file: File) => ask<{ name: string }>("POST", "/api/v1/inputs", file),
  batches: (limit: number) => ask<{ batches: Batch[] }>("GET", `/api/v1/batches?limit=${limit}`),
  batch: (id: string) => ask<Batch>("GET", `/api/v1/batches/${id}`),
  jobsOfBatch: (id: string) => ask<{ jobs: Job[] }>("GET", `/api/v1/batches/${id}/jobs`),
  cancelBatch: (id: string) => ask<Batch>("DELETE", `/api/v1/batches/${id}`),
  submitBatch: (request: BatchRequest, key: string) =>
    ask<Batch>("POST", "/api/v1/batches", request as unknown as Json, { "Idempotency-Key": key }),
  templates: () => ask<{ templates: Template[] }>("GET", "/api/v1/templates"),
  /** The description of the whole interface, of which we need one schema. */
  description: () => ask<Description>("GET", "/openapi.json"),
  workers: () => ask<{ workers: Worker[] }>("GET", "/api/v1/workers"),
};

export interface Description {
  components?: { schemas?: Record<string, Schema> };
}

/** Told of each answer's status: 0 where there is none. */
let tell: (status: number) => void = () => {};

export function onAnswer(listener: (status: number) => void): void {
  tell = listener;
}

async function ask<T>(
  method: string,
  path: string,
  body?: Json | File,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      // A form of another site cannot send this header.
      headers: { "X-Aiobpy": "1", "Content-Type": kindOf(body), ...headers },
      ...(body === undefined ? {} : { body: body instanceof File ? body : JSON.stringify(body) }),
    });
  } catch {
    tell(0);
    return { ok: false, problem: unreachable() };
  }
  tell(response.status);
  const said: unknown = await response.json().catch(() => null);
  return response.ok
    ? { ok: true, value: said as T }
    : { ok: false, problem: problemOf(said, response.status) };
}

function kindOf(body: Json | File | undefined): string {
  return body instanceof File ? "application/octet-stream" : "application/json";
}

function unreachable(): Problem {
  return {
    type: UNREACHABLE,
    title: "No answer",
    status: 0,
    detail: "The server does not answer.",
    hint: "Is `aiobpy serve` still running? This page comes back by itself when it is.",
  };
}

function problemOf(said: unknown, status: number): Problem {
  if (typeof said === "object" && said !== null && "detail" in said && "title" in said) {
    return said as Problem;
  }
  return {
    type: "unknown",
    title: "Not understood",
    status,
    detail: `The server answered ${status}.`,
  };
}
