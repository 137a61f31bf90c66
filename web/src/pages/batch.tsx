/** A batch: how far it is, and each of its jobs. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "../api.ts";
import { BatchProgress } from "../parts/batch_progress.tsx";
import { Icon } from "../parts/icon.tsx";
import { EndedTile } from "../parts/job_views.tsx";
import { NotThere, PageHead } from "../parts/page_head.tsx";
import { announce } from "../state/announcements.ts";
import { batches, fetchBatch, type Whole } from "../state/batches.ts";
import { jobs } from "../state/fleet.ts";
import { mayControl } from "../state/session.ts";
import { type Batch, isFinal, type Problem } from "../wire.ts";

export function BatchPage({ id }: { id: string }) {
  const whole = useSignal<Whole | null>(null);
  const problem = useSignal<Problem | null>(null);
  // The list is asked for again whenever something has happened to a job.
  const latest = batches.value.find((batch) => batch.id === id);
  useEffect(() => {
    void fetchBatch(id).then((found) => {
      if ("batch" in found) {
        whole.value = found;
      } else {
        problem.value = found;
      }
    });
  }, [id, latest?.progress, latest?.state]);
  if (whole.value) {
    return <Known whole={whole.value} latest={latest ?? whole.value.batch} />;
  }
  return <NotThere what="batch" problem={problem.value} />;
}

function Known({ whole, latest }: { whole: Whole; latest: Batch }) {
  return (
    <article class="batch">
      <PageHead {...latest}>
        <Actions batch={latest} />
      </PageHead>
      <div class="card">
        <BatchProgress batch={latest} />
      </div>
      <ul class="ended" aria-label="Jobs of the batch">
        {whole.jobs.map((job) => (
          <EndedTile key={job.id} job={jobs.value.get(job.id) ?? job} />
        ))}
      </ul>
    </article>
  );
}

function Actions({ batch }: { batch: Batch }) {
  const cancel = async () => {
    const answer = await api.cancelBatch(batch.id);
    const text = answer.ok ? "The batch is cancelled" : answer.problem.detail;
    announce(text, answer.ok ? "news" : "problem");
  };
  return (
    <div class="actions">
      {!isFinal(batch.state) && mayControl.value && (
        <button type="button" class="button" onClick={cancel}>
          <Icon of="cross" />
          <span>Cancel all</span>
        </button>
      )}
      {batch.jobs.finished > 0 && (
        <a class="button" href={`/api/v1/batches/${batch.id}/results`} download>
          <Icon of="download" />
          <span>Download all</span>
        </a>
      )}
    </div>
  );
}
