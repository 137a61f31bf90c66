import assert from "node:assert/strict";
import { test } from "node:test";
import { type Draft, draftOf, read } from "../src/forms/draft.ts";
import { jobFields, outputOf } from "../src/forms/job_fields.ts";
import { place } from "../src/forms/problems.ts";
import { fieldsOf } from "../src/forms/schema.ts";
import { batchOf } from "../src/forms/several.ts";
import type { Schema } from "../src/wire.ts";
import { problem } from "./jobs.ts";

const schema: Schema = {
  type: "object",
  properties: {
    colour: { type: "string", pattern: "^#[0-9a-fA-F]{6}$", format: "color", default: "#ffffff" },
    size: { type: "number", minimum: 0.1, maximum: 2, default: 1 },
    count: { type: "integer", minimum: 1 },
    finish: { enum: ["gloss", "powder"], default: "powder" },
    lid: { type: "boolean", default: true },
    text: { type: "string", maxLength: 16, default: "AIOBPY" },
    picture: { type: "string", contentEncoding: "base64" },
    place: { type: "array", items: { type: "number" }, minItems: 3, maxItems: 3 },
    frame: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
    extra: { type: "object" },
    names: { type: "array", items: { type: "string" }, maxItems: 3 },
    sizes: { type: "array", items: { type: "number", minimum: 1 }, minItems: 2 },
    parts: { type: "array", uniqueItems: true, items: { enum: ["lid", "cup"] } },
    frames: {
      type: "object",
      properties: { first: { type: "integer" }, last: { type: "integer" } },
      required: ["first", "last"],
    },
    mixed: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }] },
  },
  required: ["count"],
};
const fields = fieldsOf(schema);

test("each kind of schema has its kind of field, in the order of the schema", () => {
  assert.deepEqual(
    fields.map(({ name, kind }) => `${name} ${kind}`),
    [
      "colour colour",
      "size number",
      "count number",
      "finish choice",
      "lid switch",
      "text text",
      "picture file",
      "place numbers",
      "frame number",
      "extra json",
      "names list",
      "sizes list",
      "parts flags",
      "frames parts",
      "mixed json",
    ],
  );
});

test("a slider has about as many steps as it has pixels", () => {
  const size = fields.find(({ name }) => name === "size");
  assert.ok(size?.kind === "number" && size.step === 0.01);
});

test("a form that nobody has touched says what the template says, and what is missing", () => {
  assert.deepEqual(read(fields, draftOf(fields)), {
    params: { colour: "#ffffff", size: 1, finish: "powder", lid: true, text: "AIOBPY" },
    wrong: { count: "This one has to be said." },
  });
});

test("a form begins with the values of an earlier job", () => {
  const earlier = { colour: "#123456", count: 3, place: [1, 2, 3], extra: { a: 1 }, frame: 7 };
  const { params, wrong } = read(fields, draftOf(fields, earlier));
  assert.deepEqual(wrong, {});
  assert.deepEqual({ ...params, ...earlier }, params);
});

test("lists, flags and what belongs together say nothing, or all that they have to", () => {
  const said = (draft: Draft) => {
    const { params, wrong } = read(fields, { ...draftOf(fields), count: "1", ...draft });
    const { names, sizes, parts, frames } = params;
    return Object.keys(wrong).length > 0 ? wrong : { names, sizes, parts, frames };
  };
  const nothing = { names: undefined, sizes: undefined, parts: undefined, frames: undefined };
  assert.deepEqual(said({}), nothing);
  assert.deepEqual(
    said({
      names: ["a", "", "b"],
      sizes: ["1", "2,5"],
      parts: ['"cup"', '"lid"'],
      frames: { first: "1", last: "24" },
    }),
    {
      names: ["a", "b"],
      sizes: [1, 2.5],
      parts: ["lid", "cup"],
      frames: { first: 1, last: 24 },
    },
  );
  assert.deepEqual(said({ sizes: ["1"], frames: { first: "1", last: "" } }), {
    sizes: "There have to be 2 or more.",
    frames: "Last: This one has to be said.",
  });
  assert.deepEqual(said({ sizes: ["1", "0"] }), { sizes: "2: 0 is not 1 or more." });
  const earlier = { names: ["x"], parts: ["cup"], frames: { first: 3, last: 5 } };
  const again = read(fields, draftOf(fields, { ...earlier, count: 1 }));
  assert.deepEqual({ ...again.params, ...earlier }, again.params);
});

test("a form asks of a file what can be said of its kinds", () => {
  const names = ["width", "samples", "frame", "frames", "fps", "quality", "format"];
  const properties = Object.fromEntries(names.map((name) => [name, {}]));
  const asked = (...formats: string[]) =>
    Object.keys(outputOf(formats, { properties }).properties ?? {});
  assert.deepEqual(asked("png", "jpeg"), ["width", "samples", "frame", "quality", "format"]);
  assert.deepEqual(asked("mp4"), ["width", "samples", "frames", "fps", "quality"]);
  assert.deepEqual(asked("json"), []);
  assert.deepEqual(asked("glb", "fbx"), ["format"]);
});

test("a job may be for a pool, and tell somebody how it ends; a batch tells it once", () => {
  assert.deepEqual(
    jobFields([]).map(({ name }) => name),
    ["priority", "timeout_seconds", "webhook"],
  );
  const ofJob = jobFields(["cuda"]);
  const webhook = { url: "https://shop.example/hook", events: ['"job.failed"'] };
  const { params } = read(ofJob, { ...draftOf(ofJob), pool: '"cuda"', webhook });
  const told = { url: webhook.url, events: ["job.failed"] };
  assert.deepEqual(params, { priority: 0, pool: "cuda", webhook: told });
  const job = { template: "mug", params: {}, output: {} };
  const several = { frames: "1-3", varied: "", values: "" };
  assert.deepEqual(batchOf({ ...job, webhook: told }, several, fields), {
    request: { job, frames: "1-3", webhook: told },
  });
});

test("what does not fit is told at its field", () => {
  const draft = {
    ...draftOf(fields),
    size: "3",
    count: "1.5",
    place: ["1", "", "3"],
    frame: "now",
    extra: "{",
  };
  assert.deepEqual(read(fields, draft).wrong, {
    size: "3 is not between 0.1 and 2.",
    count: "1.5 is not a whole number.",
    place: "Say all of them, or none.",
    frame: "“now” is not a number.",
    extra: "That is not JSON.",
  });
});

test("a text that has a default can be emptied", () => {
  const { params } = read(fields, { ...draftOf(fields), count: "2", text: "" });
  assert.deepEqual([params.text, params.count], ["", 2]);
});

test("a batch takes one parameter's values, one a line", () => {
  const job = { template: "mug", params: {}, output: {} };
  const batch = (varied: string, values: string) =>
    batchOf(job, { frames: "1-3 ", varied, values }, fields);
  assert.deepEqual(batch("size", "1\n\n1.5\n"), {
    request: { job, frames: "1-3", matrix: { size: [1, 1.5] } },
  });
  assert.deepEqual(batch("finish", "gloss"), {
    request: { job, frames: "1-3", matrix: { finish: ["gloss"] } },
  });
  assert.deepEqual(batch("size", "1\n9"), { wrong: "9 is not between 0.1 and 2." });
  assert.deepEqual(batch("size", ""), { wrong: "Say at least one value." });
  assert.deepEqual(batch("", ""), { request: { job, frames: "1-3" } });
});

test("the server's pointers lead to the fields of the form", () => {
  const errors = [
    { pointer: "/params/colour", detail: "is no colour" },
    { pointer: "/params/place/2", detail: "is no number" },
    { pointer: "/params/a~1b", detail: "is not known" },
    { pointer: "/output/width", detail: "is too wide" },
    { pointer: "", detail: "is too much" },
  ];
  const known = new Set(["params/colour", "params/place", "output/width"]);
  assert.deepEqual(place({ ...problem("wrong"), errors }, known), {
    byField: {
      "params/colour": "is no colour",
      "params/place": "is no number",
      "output/width": "is too wide",
    },
    elsewhere: ["/params/a~1b: is not known", "is too much"],
  });
});
