/** What a job was asked for: names and values, colours as such. */

import { isColour, label, value } from "../format.ts";
import type { Job, Json } from "../wire.ts";

export function Parameters({ job }: { job: Job }) {
  const asked = Object.entries(job.params);
  const output = Object.entries(job.output).filter(([, of]) => of !== null);
  return (
    <dl class="parameters">
      {[...asked, ...output].map(([name, of]) => (
        <div key={name}>
          <dt>{label(name)}</dt>
          <dd>
            <Value of={of} />
          </dd>
        </div>
      ))}
      {job.priority ? (
        <div>
          <dt>Priority</dt>
          <dd>{job.priority}</dd>
        </div>
      ) : null}
    </dl>
  );
}

function Value({ of }: { of: Json }) {
  if (isColour(of)) {
    return (
      <>
        <Swatch colour={of} /> <code>{of}</code>
      </>
    );
  }
  return <>{value(of, 200)}</>;
}

/** The colours of a job, small: for a line of a list. */
export function Swatches({ params }: { params: Record<string, Json> }) {
  const colours = Object.values(params).filter(isColour);
  return (
    <span class="swatches">
      {colours.map((colour) => (
        <Swatch key={colour} colour={colour} />
      ))}
    </span>
  );
}

function Swatch({ colour }: { colour: string }) {
  return <span class="swatch" style={{ backgroundColor: colour }} aria-hidden="true" />;
}
