/** Which field of the form a problem's pointers mean. */

import type { Problem } from "../wire.ts";

export interface Placed {
  /** What is wrong, by the first two parts of the pointer: as in `params/colour`. */
  byField: Record<string, string>;
  /** What no field of the form has to do with. */
  elsewhere: string[];
}

/** `known`: the fields of the form, as in `params/colour` or `priority`. */
export function place(problem: Problem, known: ReadonlySet<string>): Placed {
  const placed: Placed = { byField: {}, elsewhere: [] };
  for (const { pointer, detail } of problem.errors ?? []) {
    const key = fieldOf(pointer, known);
    if (key === null) {
      placed.elsewhere.push(pointer === "" ? detail : `${pointer}: ${detail}`);
    } else {
      const before = placed.byField[key];
      placed.byField[key] = before === undefined ? detail : `${before} ${detail}`;
    }
  }
  return placed;
}

/** The field whose own pointer this is, or lies above it. */
function fieldOf(pointer: string, known: ReadonlySet<string>): string | null {
  const parts = pointer.split("/").slice(1).map(unescaped);
  for (let length = parts.length; length > 0; length -= 1) {
    const key = parts.slice(0, length).join("/");
    if (known.has(key)) {
      return key;
    }
  }
  return null;
}

/** As RFC 6901 has it. */
function unescaped(part: string): string {
  return part.replace(/~1/g, "/").replace(/~0/g, "~");
}
