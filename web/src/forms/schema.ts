/** From a template's JSON Schema to the fields of a form. */

import { label } from "../format.ts";
import type { Json, Schema } from "../wire.ts";

interface Common {
  /** As in the request. */
  name: string;
  label: string;
  description: string;
  /** Whether the template has no value of its own. */
  isRequired: boolean;
  default: Json | undefined;
}

export type Field = Common &
  (
    | { kind: "number"; isInteger: boolean; minimum?: number; maximum?: number; step: number }
    | { kind: "colour" }
    | { kind: "choice"; options: Json[] }
    | { kind: "switch" }
    | { kind: "text"; isLong: boolean; placeholder: string; maxLength?: number; pattern?: string }
    | FileField
    | { kind: "numbers"; count: number; isInteger: boolean; minimum?: number; maximum?: number }
    | FlagsField
    | ListField
    | PartsField
    | { kind: "json" }
  );

/** Any of a few choices. */
interface FlagsField {
  kind: "flags";
  options: Json[];
}

/** As many of a kind as one likes. */
interface ListField {
  kind: "list";
  item: Field;
  least: number;
  most: number;
}

/** Some fields that belong together. */
interface PartsField {
  kind: "parts";
  fields: Field[];
}

/** Longer texts get more than one line. */
const LONG_TEXT = 80;

/** The fields of a schema of type `object`, in its order. */
export function fieldsOf(schema: Schema): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, of]) =>
    fieldOf(name, of, required.has(name)),
  );
}

function fieldOf(name: string, whole: Schema, isRequired: boolean): Field {
  const common: Common = {
    name,
    label: whole.title ?? label(name),
    description: whole.description ?? "",
    isRequired,
    default: whole.default,
  };
  const schema = withoutNull(whole);
  if (schema.enum) {
    return { ...common, kind: "choice", options: schema.enum };
  }
  switch (schema.type) {
    case "boolean":
      return { ...common, kind: "switch" };
    case "integer":
    case "number":
      return { ...common, kind: "number", ...numberOf(schema), step: stepOf(schema) };
    case "string":
      return { ...common, ...textOf(schema) };
    case "array":
      return { ...common, ...arrayOf(schema) };
    case "object":
      return { ...common, ...objectOf(schema) };
    default:
      return { ...common, kind: "json" };
  }
}

/** Of a value or nothing: the value. Nothing is said by leaving the field empty. */
function withoutNull(schema: Schema): Schema {
  const kinds = schema.anyOf?.filter((kind) => kind.type !== "null");
  return kinds?.length === 1 && kinds[0] ? kinds[0] : schema;
}

interface Bounds {
  isInteger: boolean;
  minimum?: number;
  maximum?: number;
}

function numberOf(schema: Schema): Bounds {
  return {
    isInteger: schema.type === "integer",
    ...(schema.minimum === undefined ? {} : { minimum: schema.minimum }),
    ...(schema.maximum === undefined ? {} : { maximum: schema.maximum }),
  };
}

/** About two hundred steps from end to end, each of them round. */
function stepOf(schema: Schema): number {
  if (schema.type === "integer") {
    return 1;
  }
  const span = (schema.maximum ?? Number.NaN) - (schema.minimum ?? Number.NaN);
  return span > 0 ? 10 ** Math.floor(Math.log10(span / 50)) : 0.01;
}

/** A file is told in base64, or sent before and told by its name. */
interface FileField {
  kind: "file";
  accept: string;
  isSentBefore: boolean;
  /** Whether a path on the server will do as well. */
  mayBePath: boolean;
}

type TextField = { kind: "colour" } | FileField | Text;

interface Text {
  kind: "text";
  isLong: boolean;
  placeholder: string;
  maxLength?: number;
  pattern?: string;
}

function textOf(schema: Schema): TextField {
  if (schema.format === "color") {
    return { kind: "colour" };
  }
  const isSentBefore = schema.format === "input" || schema.format === "blend";
  if (isSentBefore || schema.contentEncoding === "base64") {
    const mayBePath = schema.format === "blend";
    const accept = schema.contentMediaType ?? (mayBePath ? ".blend" : "");
    return { kind: "file", accept, isSentBefore, mayBePath };
  }
  const placeholders: Record<string, string> = {
    date: "YYYY-MM-DD",
    "date-time": "YYYY-MM-DDThh:mm:ssZ",
    uri: "https://…",
  };
  return {
    kind: "text",
    isLong: (schema.maxLength ?? 0) > LONG_TEXT,
    placeholder: placeholders[schema.format ?? ""] ?? "",
    ...(schema.maxLength === undefined ? {} : { maxLength: schema.maxLength }),
    ...(schema.pattern === undefined ? {} : { pattern: schema.pattern }),
  };
}

type ArrayField =
  | { kind: "json" }
  | ({ kind: "numbers"; count: number } & Bounds)
  | FlagsField
  | ListField;

/** Some numbers, as of a vector, have a field each; what may be any number of times, a line each. */
function arrayOf(schema: Schema): ArrayField {
  const count = schema.prefixItems?.length ?? schema.minItems ?? 0;
  const item = schema.prefixItems?.[0] ?? schema.items;
  if (!item) {
    return { kind: "json" };
  }
  const isFixed = count > 0 && count <= 4 && schema.maxItems === count;
  if (isFixed && (item.type === "number" || item.type === "integer")) {
    return { kind: "numbers", count, ...numberOf(item) };
  }
  const field = fieldOf("", item, true);
  // What differs from place to place is no list, and what is only JSON is easier to write at once.
  if (schema.prefixItems || field.kind === "json") {
    return { kind: "json" };
  }
  if (schema.uniqueItems && field.kind === "choice") {
    return { kind: "flags", options: field.options };
  }
  const { minItems: least = 0, maxItems: most = Number.POSITIVE_INFINITY } = schema;
  return { kind: "list", item: field, least, most };
}

function objectOf(schema: Schema): { kind: "json" } | PartsField {
  const fields = fieldsOf(schema);
  return fields.length === 0 ? { kind: "json" } : { kind: "parts", fields };
}
