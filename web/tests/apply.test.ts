import assert from "node:assert/strict";
import { test } from "node:test";
import { applyAll, newest } from "../src/state/apply.ts";
import type { Job, JobEvent } from "../src/wire.ts";
import { job, problem, told } from "./jobs.ts";

const artefact = { hash: "00", content_type: "image/png", bytes: 4 };

function after(events: JobEvent[], before: Job[] = []): Job | undefined {
  const known = new Map(before.map((one) => [one.id, one]));
  return applyAll(known, events).jobs.get("1");
}

test("a job goes from the queue to its result", () => {
  const queued = told({ type: "job.queued", job: job("1") });
  const started = told({ type: "job.started", id: "1", attempt: 1, worker: "w1" });
  const progressed = told({
    type: "job.progressed",
    id: "1",
    attempt: 1,
    progress: 0.5,
    message: "Sample 1/2",
  });
  const finished = told({ type: "job.finished", id: "1", attempt: 1, artefact });
  assert.equal(after([queued])?.state, "queued");
  assert.deepEqual(
    [after([queued, started])?.state, after([queued, started])?.worker],
    ["running", "w1"],
  );
  assert.deepEqual(
    [after([queued, started, progressed])?.progress, after([queued, started, progressed])?.message],
    [0.5, "Sample 1/2"],
  );
  const done = after([queued, started, progressed, finished]);
  assert.deepEqual([done?.state, done?.progress, done?.artefact], ["finished", 1, artefact]);
});

test("a job whose worker was lost waits again, and says why", () => {
  const running = job("1", { state: "running", attempt: 1, progress: 0.7, worker: "w1" });
  const requeued = told({ type: "job.requeued", id: "1", attempt: 1, problem: problem("crashed") });
  const waiting = after([requeued], [running]);
  assert.deepEqual(
    [waiting?.state, waiting?.progress, waiting?.worker, waiting?.problem?.detail],
    ["queued", 0, undefined, "crashed"],
  );
});

test("what is told late of an attempt or a job that is over changes nothing", () => {
  const finished = job("1", { state: "finished", attempt: 1, progress: 1 });
  const late = told({ type: "job.progressed", id: "1", attempt: 1, progress: 0.9, message: "" });
  assert.equal(after([late], [finished]), finished);
  const second = job("1", { state: "running", attempt: 2, progress: 0.1 });
  assert.equal(after([late], [second]), second);
});

test("an answer knows more than the event that tells of the job's beginning", () => {
  const running = job("1", { state: "running", attempt: 1 });
  assert.equal(after([told({ type: "job.queued", job: job("1") })], [running]), running);
});

test("jobs that are told of and not known are to be asked for", () => {
  const { unknown } = applyAll(new Map(), [told({ type: "job.cancelled", id: "9" })]);
  assert.deepEqual([...unknown], ["9"]);
});

test("the newest are kept, and all that have not ended", () => {
  const all = ["1", "2", "3", "4"].map((id) =>
    job(id, { state: id === "1" ? "running" : "finished" }),
  );
  const kept = newest(new Map(all.map((one) => [one.id, one])), 2);
  assert.deepEqual([...kept.keys()], ["4", "3", "1"]);
});
