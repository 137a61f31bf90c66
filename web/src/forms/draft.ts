/** What somebody has put into a form so far, and what it says. */

import { isColour } from "../format.ts";
import type { Json } from "../wire.ts";
import type { Field } from "./schema.ts";

/**
 * What a field holds: a text, also of a number, or whether it is on; of a list, each; of fields that belong
 * together, each by its name.
 */
export type Entry = string | boolean | Entry[] | Draft;
export interface Draft {
  [name: string]: Entry;
}

export type Reading = { value: Json } | { nothing: true } | { wrong: string };

/** The form as it is shown first: with the template's own values, or those of an earlier job. */
export function draftOf(fields: readonly Field[], given: Record<string, Json> = {}): Draft {
  return Object.fromEntries(
    fields.map((field) => [field.name, entryOf(field, given[field.name] ?? field.default)]),
  );
}

export interface Said {
  params: Record<string, Json>;
  /** What is wrong, by the field's name. */
  wrong: Record<string, string>;
}

/** What the form says. A field that is left as the template has it is not told. */
export function read(fields: readonly Field[], draft: Draft): Said {
  const said: Said = { params: {}, wrong: {} };
  for (const field of fields) {
    const reading = readField(field, draft[field.name] ?? "");
    if ("wrong" in reading) {
      said.wrong[field.name] = reading.wrong;
    } else if ("value" in reading) {
      said.params[field.name] = reading.value;
    } else if (field.isRequired) {
      said.wrong[field.name] = "This one has to be said.";
    }
  }
  return said;
}

function entryOf(field: Field, value: Json | undefined): Entry {
  switch (field.kind) {
    case "switch":
      return value === true;
    case "numbers":
      return Array.from({ length: field.count }, (_, place) =>
        Array.isArray(value) ? String(value[place] ?? "") : "",
      );
    case "choice":
      return value === undefined ? "" : JSON.stringify(value);
    case "flags":
      return Array.isArray(value) ? value.map((one) => JSON.stringify(one)) : [];
    case "list":
      return Array.isArray(value) ? value.map((one) => entryOf(field.item, one)) : [];
    case "parts":
      return draftOf(field.fields, isObject(value) ? value : {});
    case "json":
      return value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
    default:
      return value === undefined || value === null ? "" : String(value);
  }
}

function readField(field: Field, entry: Entry): Reading {
  if (typeof entry === "boolean") {
    return { value: entry };
  }
  if (typeof entry !== "string") {
    return readSeveral(field, entry);
  }
  switch (field.kind) {
    case "number":
      return readNumber(field, entry);
    case "choice":
    case "json":
      return readJson(entry);
    case "colour":
      return entry === "" ? { nothing: true } : readColour(entry);
    case "text":
      // An empty text is one, where the template has another of its own.
      return entry === "" && (field.isRequired || !field.default)
        ? { nothing: true }
        : { value: entry };
    default:
      return entry === "" ? { nothing: true } : { value: entry };
  }
}

function readSeveral(field: Field, entry: Entry[] | Draft): Reading {
  if (!Array.isArray(entry)) {
    return field.kind === "parts" ? readParts(field, entry) : { nothing: true };
  }
  switch (field.kind) {
    case "numbers":
      return readNumbers(field, entry.map(String));
    case "list":
      return readList(field, entry);
    case "flags": {
      const chosen = field.options.filter((option) => entry.includes(JSON.stringify(option)));
      return chosen.length === 0 && !field.isRequired ? { nothing: true } : { value: chosen };
    }
    default:
      return { nothing: true };
  }
}

/** Lines that are left empty are not there. */
function readList(field: Field & { kind: "list" }, entries: readonly Entry[]): Reading {
  const values: Json[] = [];
  for (const [place, entry] of entries.entries()) {
    const reading = readField(field.item, entry);
    if ("wrong" in reading) {
      return { wrong: `${place + 1}: ${reading.wrong}` };
    }
    if ("value" in reading) {
      values.push(reading.value);
    }
  }
  const isSaid = values.length > 0 || field.isRequired || Array.isArray(field.default);
  if (!isSaid) {
    return { nothing: true };
  }
  return values.length < field.least
    ? { wrong: `There have to be ${field.least} or more.` }
    : { value: values };
}

/** What nobody has touched is left to the template, if it may be. */
function readParts(field: Field & { kind: "parts" }, draft: Draft): Reading {
  const isTouched = JSON.stringify(draft) !== JSON.stringify(draftOf(field.fields));
  if (!isTouched && !field.isRequired) {
    return { nothing: true };
  }
  const { params, wrong } = read(field.fields, draft);
  const first = field.fields.find(({ name }) => wrong[name] !== undefined);
  return first ? { wrong: `${first.label}: ${wrong[first.name]}` } : { value: params };
}

function isObject(value: Json | undefined): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readColour(entry: string): Reading {
  const value = entry.trim();
  return isColour(value) ? { value } : { wrong: `“${entry}” is not a colour as in #e87d0d.` };
}

interface Bounds {
  isInteger: boolean;
  minimum?: number;
  maximum?: number;
}

function readNumber(bounds: Bounds, entry: string): Reading {
  if (entry.trim() === "") {
    return { nothing: true };
  }
  const value = Number(entry.trim().replace(",", "."));
  const {
    isInteger,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
  } = bounds;
  if (!Number.isFinite(value)) {
    return { wrong: `“${entry}” is not a number.` };
  }
  if (isInteger && !Number.isInteger(value)) {
    return { wrong: `${value} is not a whole number.` };
  }
  if (value < minimum || value > maximum) {
    return { wrong: `${value} is not ${range(bounds)}.` };
  }
  return { value };
}

function range({ minimum, maximum }: Bounds): string {
  if (minimum === undefined) {
    return `${maximum} or less`;
  }
  return maximum === undefined ? `${minimum} or more` : `between ${minimum} and ${maximum}`;
}

function readNumbers(bounds: Bounds, entries: readonly string[]): Reading {
  const readings = entries.map((entry) => readNumber(bounds, entry));
  const wrong = readings.find((reading) => "wrong" in reading);
  if (wrong) {
    return wrong;
  }
  const values = readings.flatMap((reading) => ("value" in reading ? [reading.value] : []));
  if (values.length === 0) {
    return { nothing: true };
  }
  return values.length === entries.length
    ? { value: values }
    : { wrong: "Say all of them, or none." };
}

function readJson(entry: string): Reading {
  if (entry.trim() === "") {
    return { nothing: true };
  }
  try {
    return { value: JSON.parse(entry) as Json };
  } catch {
    return { wrong: "That is not JSON." };
  }
}
