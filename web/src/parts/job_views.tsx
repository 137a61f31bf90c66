/** A job in the overview: as a card while it runs, as a row while it waits, as a tile when it has ended. */

import { ago, summary } from "../format.ts";
import { CancelButton } from "../parts/cancel_button.tsx";
import { Swatches } from "../parts/parameters.tsx";
import { Picture } from "../parts/picture.tsx";
import { Progress } from "../parts/progress.tsx";
import { StateBadge } from "../parts/state_badge.tsx";
import { paths } from "../router.ts";
import { now } from "../state/fleet.ts";
import type { Job } from "../wire.ts";

export function RunningCard({ job }: { job: Job }) {
  return (
    <li class="running-card card">
      <Picture job={job} />
      <div class="running-text">
        <div class="running-head">
          <h3>
            <a href={paths.job(job.id)}>{job.template}</a>
          </h3>
          <CancelButton job={job} isSmall />
        </div>
        <p class="is-quiet clipped">{summary(job.params) || "As the template has it"}</p>
        <Progress job={job} />
        {job.attempt > 1 && <p class="is-quiet">Attempt {job.attempt}</p>}
      </div>
    </li>
  );
}

export function WaitingRow({ job }: { job: Job }) {
  return (
    <li class="waiting-row">
      <a href={paths.job(job.id)}>{job.template}</a>
      <Swatches params={job.params} />
      <span class="is-quiet clipped">{summary(job.params)}</span>
      {job.priority ? <span class="badge">Priority {job.priority}</span> : null}
      <span class="is-quiet figures when">{ago(job.created_at, now.value)}</span>
      <CancelButton job={job} isSmall />
    </li>
  );
}

export function EndedTile({ job }: { job: Job }) {
  return (
    <li class="tile">
      <a href={paths.job(job.id)}>
        <Picture job={job} isSmall />
        <span class="tile-text">
          <span class="clipped">{job.template}</span>
          {job.state === "finished" ? null : <StateBadge state={job.state} />}
        </span>
        <span class="is-quiet figures">{ago(job.ended_at ?? job.created_at, now.value)}</span>
      </a>
    </li>
  );
}
