import assert from "node:assert/strict";
import { test } from "node:test";
import { chaptersOf, merged } from "../src/state/story.ts";
import { job, problem, told } from "./jobs.ts";

const progressed = (attempt: number, message: string) =>
  told({ type: "job.progressed", id: "1", attempt, progress: 0.5, message });

test("progress in a row is one chapter, with all that was said", () => {
  const events = [
    told({ type: "job.queued", job: job("1") }),
    told({ type: "job.started", id: "1", attempt: 1, worker: "w1" }),
    progressed(1, "one"),
    progressed(1, "two"),
    told({ type: "job.requeued", id: "1", attempt: 1, problem: problem("crashed") }),
    told({ type: "job.started", id: "1", attempt: 2, worker: "w2" }),
    progressed(2, "three"),
    told({ type: "job.cancelled", id: "1" }),
  ];
  const chapters = chaptersOf(events);
  assert.deepEqual(
    chapters.map(({ text }) => text),
    [
      "Taken on",
      "Attempt 1 on w1",
      "two",
      "Back in the queue",
      "Attempt 2 on w2",
      "three",
      "Cancelled",
    ],
  );
  assert.deepEqual(
    chapters[2]?.lines?.map(({ message }) => message),
    ["one", "two"],
  );
  assert.equal(chapters[3]?.problem?.detail, "crashed");
});

test("events that come twice are told once, in their order", () => {
  const [one, two, three] = [progressed(1, "1"), progressed(1, "2"), progressed(1, "3")];
  assert.deepEqual(merged([one, three], [two, three]), [one, two, three]);
});
