/** The Blenders that are kept warm, and what each is at. */

import { bytes } from "../format.ts";
import { ProblemBox } from "../parts/problem_box.tsx";
import { StateBadge } from "../parts/state_badge.tsx";
import { paths } from "../router.ts";
import { jobs, workers } from "../state/fleet.ts";
import type { Worker } from "../wire.ts";

export function Workers() {
  return (
    <aside class="workers" aria-labelledby="workers">
      <h2 id="workers">Workers</h2>
      {workers.value.length === 0 ? (
        <p class="is-quiet">There are none yet.</p>
      ) : (
        <ul>
          {workers.value.map((worker) => (
            <WorkerCard key={worker.id} worker={worker} />
          ))}
        </ul>
      )}
    </aside>
  );
}

function WorkerCard({ worker }: { worker: Worker }) {
  const job = worker.job ? jobs.value.get(worker.job) : undefined;
  const facts = [
    worker.blender_version && `Blender ${worker.blender_version}`,
    worker.resident_bytes && bytes(worker.resident_bytes),
    worker.device,
    worker.pool && `pool ${worker.pool}`,
  ].filter(Boolean);
  return (
    <li class="worker card">
      <div class="worker-head">
        <h3>{worker.id}</h3>
        <StateBadge state={worker.state} />
      </div>
      <p class="is-quiet figures">{facts.join(" · ") || "Blender starts"}</p>
      <p class="figures">
        {worker.job ? (
          <a href={paths.job(worker.job)}>{job?.template ?? "a job"}</a>
        ) : (
          <span class="is-quiet">{worker.state === "warm" ? "Free" : "Not at work"}</span>
        )}
        <span class="is-quiet">
          {" "}
          · {worker.jobs_done === 1 ? "1 job done" : `${worker.jobs_done} jobs done`}
        </span>
      </p>
      {worker.failures !== undefined && worker.failures > 1 && (
        <p class="is-quiet">{worker.failures} in a row have done no job.</p>
      )}
      {worker.problem && <ProblemBox problem={worker.problem} />}
    </li>
  );
}
