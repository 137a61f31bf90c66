/** Many jobs by one form: the frames, and the values that one parameter is to take. */

import type { BatchRequest, JobRequest, Json } from "../wire.ts";
import { draftOf, read } from "./draft.ts";
import type { Field } from "./schema.ts";

export interface Several {
  /** As in `1-24x2,30`. */
  frames: string;
  /** The name of a parameter; empty for none. */
  varied: string;
  /** Its values, one a line. */
  values: string;
}

export const ONE: Several = { frames: "", varied: "", values: "" };

export function isSeveral({ frames, varied }: Several): boolean {
  return frames.trim() !== "" || varied !== "";
}

/** What is asked for, or what is wrong with the values. */
export function batchOf(
  job: JobRequest,
  { frames, varied, values }: Several,
  fields: readonly Field[],
): { request: BatchRequest } | { wrong: string } {
  const field = fields.find(({ name }) => name === varied);
  const lines = values.split("\n").filter((line) => line.trim() !== "");
  if (field && lines.length === 0) {
    return { wrong: "Say at least one value." };
  }
  const taken: Json[] = [];
  for (const line of field ? lines : []) {
    const { params, wrong } = read([field as Field], {
      [varied]: entryOf(field as Field, line.trim()),
    });
    if (wrong[varied] !== undefined) {
      return { wrong: wrong[varied] };
    }
    taken.push(params[varied] ?? null);
  }
  const { webhook, ...ofEach } = job;
  return {
    request: {
      job: ofEach,
      ...(frames.trim() === "" ? {} : { frames: frames.trim() }),
      ...(field ? { matrix: { [varied]: taken } } : {}),
      // A batch is told of once.
      ...(webhook ? { webhook } : {}),
    },
  };
}

/** A line as the field's own input has it: a choice and a switch by their words. */
function entryOf(field: Field, line: string) {
  if (field.kind === "switch") {
    return /^(true|yes|on|1)$/i.test(line);
  }
  if (field.kind === "choice") {
    const option = field.options.find((one) => String(one) === line);
    return draftOf([field], { [field.name]: option ?? line })[field.name] ?? "";
  }
  return line;
}
