import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EVENT_NAMES, JOB_STATES, WORKER_STATES } from "../src/wire.ts";

function source(name: string): string {
  return readFileSync(new URL(`../../crates/wire/src/${name}.rs`, import.meta.url), "utf8");
}

/** The cases of a Rust enum that JSON has in lower case. */
function casesOf(text: string, name: string): string[] {
  const body = new RegExp(`pub enum ${name} \\{([^}]*)\\}`).exec(text)?.[1] ?? "";
  return [...body.matchAll(/^ {4}(\w+),$/gm)].map((match) => (match[1] ?? "").toLowerCase());
}

test("every event of jobs and workers that the server has is known here", () => {
  const names = [...source("event").matchAll(/#\[serde\(rename = "([\w.]+)"\)\]/g)];
  const ours = names.map((match) => match[1]).filter((name) => /^(job|worker)\./.test(name ?? ""));
  assert.deepEqual([...EVENT_NAMES], ours);
});

test("every state that the server has is known here", () => {
  assert.deepEqual([...JOB_STATES], casesOf(source("job"), "JobState"));
  assert.deepEqual([...WORKER_STATES], casesOf(source("worker"), "WorkerState"));
});
