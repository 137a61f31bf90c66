/** What a job was asked for: names and values, colours as such. */

import { duration, isColour, label, value } from "../format.ts";
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
      {ofJob(job).map(([name, of]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{of}</dd>
        </div>
      ))}
    </dl>
  );
}

function ofJob({ priority, timeout_seconds: limit, pool, webhook }: Job): [string, string][] {
  return [
    ...(priority ? [["Priority", String(priority)] as [string, string]] : []),
    ...(limit ? [["Time limit", duration(limit)] as [string, string]] : []),
    ...(pool ? [["Pool", pool] as [string, string]] : []),
    ...(webhook ? [["Webhook", webhook.url] as [string, string]] : []),
  ];
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
