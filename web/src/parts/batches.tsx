/** Batches: how far each is, of those that go on. */

import { BatchProgress } from "../parts/batch_progress.tsx";
import { paths } from "../router.ts";
import { batches } from "../state/batches.ts";
import { isFinal } from "../wire.ts";

export function Batches() {
  const live = batches.value.filter(({ state }) => !isFinal(state));
  if (live.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby="batches">
      <h2 id="batches">Batches</h2>
      <ul class="batches">
        {live.map((batch) => (
          <li key={batch.id} class="card">
            <h3>
              <a href={paths.batch(batch.id)}>{batch.template}</a>
            </h3>
            <BatchProgress batch={batch} />
          </li>
        ))}
      </ul>
    </section>
  );
}
