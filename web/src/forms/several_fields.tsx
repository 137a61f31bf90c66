/** The part of the form that makes a batch of a job. */

import type { Field } from "./schema.ts";
import type { Several } from "./several.ts";

interface Props {
  several: Several;
  fields: readonly Field[];
  /** What is wrong, by `frames` or `values`. */
  wrong: Partial<Record<"frames" | "values", string | undefined>>;
  onChange: (several: Several) => void;
}

export function SeveralFields({ several, fields, wrong, onChange }: Props) {
  const change = (part: Partial<Several>) => onChange({ ...several, ...part });
  return (
    <div class="fields">
      <div class="field">
        <label for="several-frames">Frames</label>
        <input
          id="several-frames"
          type="text"
          autocomplete="off"
          placeholder="1-24"
          aria-describedby="several-frames-said"
          aria-invalid={wrong.frames !== undefined}
          value={several.frames}
          onInput={(event) => change({ frames: event.currentTarget.value })}
        />
        <p class="said" id="several-frames-said">
          {wrong.frames && <strong class="wrong">{wrong.frames} </strong>}A job for each: as in
          1-24, each second one as in 1-24x2, or 1,5,9.
        </p>
      </div>
      <div class="field">
        <label for="several-varied">Vary</label>
        <select
          id="several-varied"
          value={several.varied}
          onChange={(event) => change({ varied: event.currentTarget.value })}
        >
          <option value="">Nothing</option>
          {fields.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        {several.varied !== "" && (
          <textarea
            rows={4}
            aria-label="Values, one a line"
            aria-describedby="several-values-said"
            aria-invalid={wrong.values !== undefined}
            value={several.values}
            onInput={(event) => change({ values: event.currentTarget.value })}
          />
        )}
        <p class="said" id="several-values-said">
          {wrong.values && <strong class="wrong">{wrong.values} </strong>}A job for each value, one
          a line.
        </p>
      </div>
    </div>
  );
}
