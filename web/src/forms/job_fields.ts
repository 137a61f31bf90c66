/** The fields that every template's form has: those of the file, and those of the job itself. */

import type { Schema } from "../wire.ts";
import { type Field, fieldsOf } from "./schema.ts";

/** What can be said of a file of each kind; of all others, only which kind it is. */
const OF_PICTURES = ["width", "height", "samples", "engine", "frame", "quality"];
const OF_VIDEOS = ["width", "height", "samples", "engine", "frames", "fps", "quality"];
const PICTURES = new Set(["png", "jpeg", "webp", "avif", "exr"]);
const VIDEOS = new Set(["mp4", "webm"]);

/** What can be said of the file: each template makes other kinds. */
export function outputOf(formats: readonly string[], schema: Schema): Schema {
  if (formats.length === 0) {
    return schema;
  }
  const said = new Set([
    ...(formats.some((one) => PICTURES.has(one)) ? OF_PICTURES : []),
    ...(formats.some((one) => VIDEOS.has(one)) ? OF_VIDEOS : []),
  ]);
  const known = Object.entries(schema.properties ?? {});
  const kept = known.filter(([name]) => said.has(name));
  // The first is what it makes if nothing else is asked for.
  const format = { ...schema.properties?.format, enum: [...formats], default: formats[0] ?? null };
  const choice = formats.length > 1 ? { format } : {};
  return { ...schema, properties: { ...Object.fromEntries(kept), ...choice } };
}

/** The fields of the job itself. */
export function jobFields(pools: readonly string[]): Field[] {
  return fieldsOf({
    properties: {
      priority: {
        type: "integer",
        minimum: -100,
        maximum: 100,
        default: 0,
        description: "Jobs of higher priority come first.",
      },
      timeout_seconds: {
        title: "Time limit",
        type: "integer",
        minimum: 1,
        description: "Seconds that an attempt may take; as long as it goes on, if left empty.",
      },
      ...(pools.length === 0 ? {} : { pool: poolOf(pools) }),
      webhook: WEBHOOK,
    },
  });
}

function poolOf(pools: readonly string[]): Schema {
  return { enum: [...pools], description: "The workers that may do it." };
}

const WEBHOOK: Schema = {
  type: "object",
  description: "An address that is told how it ends, or what else is marked here.",
  properties: {
    url: { title: "Address", type: "string", format: "uri" },
    events: {
      title: "Tell of",
      type: "array",
      uniqueItems: true,
      items: {
        enum: ["job.queued", "job.started", "job.finished", "job.failed", "job.cancelled"],
      },
    },
  },
  required: ["url"],
};
