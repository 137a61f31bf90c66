import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, duration, elapsed, label, remaining, summary } from "../src/format.ts";
import { job } from "./jobs.ts";

const BEGAN = "2026-11-21T10:00:00Z";
const seconds = (count: number) => Date.parse(BEGAN) + count * 1000;

test("sizes and times are said in the unit that fits", () => {
  assert.deepEqual([bytes(512), bytes(1536), bytes(300 << 20)], ["512 B", "1.5 KiB", "300 MiB"]);
  assert.deepEqual([0.42, 59.6, 125, 7800].map(duration), [
    "0.4 s",
    "1 min 00 s",
    "2 min 05 s",
    "2 h 10 min",
  ]);
  assert.deepEqual(
    [1, 30, 90, 7300, 90_000, 200_000].map((count) => ago(BEGAN, seconds(count))),
    ["just now", "30 s ago", "1 min ago", "2 h ago", "yesterday", "2 days ago"],
  );
});

test("how long a job takes yet is told once there is something to tell by", () => {
  const running = job("1", { state: "running", started_at: BEGAN, progress: 0.25 });
  assert.equal(elapsed(running, seconds(10)), 10);
  assert.equal(remaining(running, seconds(10)), 30);
  assert.equal(remaining({ ...running, progress: 0.01 }, seconds(10)), null);
  assert.equal(remaining(job("1"), seconds(10)), null);
});

test("names read as labels, and long values are cut", () => {
  assert.equal(label("text_size"), "Text size");
  assert.equal(summary({ text: "x".repeat(30), lid: true }), `Text ${"x".repeat(23)}… · Lid true`);
});
