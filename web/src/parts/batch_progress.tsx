/** How far a batch is: a bar, and how many of its jobs are in which state. */

import { percent } from "../format.ts";
import type { Batch } from "../wire.ts";

const WORDS = [
  ["finished", "done"],
  ["running", "running"],
  ["queued", "waiting"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
] as const;

export function BatchProgress({ batch }: { batch: Batch }) {
  const said = WORDS.filter(([state]) => batch.jobs[state] > 0).map(
    ([state, word]) => `${batch.jobs[state]} ${word}`,
  );
  return (
    <div class="progress">
      <progress
        max={1}
        value={batch.progress}
        aria-label={`Progress of the batch of ${batch.template}`}
      />
      <p class="progress-line">
        <span class="figures">
          {batch.jobs.total} jobs: {said.join(", ")}
        </span>
        <span class="figures">{percent(batch.progress)}</span>
      </p>
    </div>
  );
}
