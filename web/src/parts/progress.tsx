/** How far a job is: a bar, and what Blender says. */

import { duration, elapsed, percent, remaining } from "../format.ts";
import { now } from "../state/fleet.ts";
import type { Job } from "../wire.ts";

export function Progress({ job }: { job: Job }) {
  const passed = elapsed(job, now.value);
  const rest = remaining(job, now.value);
  return (
    <div class="progress">
      <progress max={1} value={job.progress} aria-label={`Progress of ${job.template}`} />
      <p class="progress-line">
        <span class="progress-message">{job.message ?? "Setting the scene up"}</span>
        <span class="figures">{percent(job.progress)}</span>
      </p>
      <p class="progress-line is-quiet">
        <span class="figures">{passed === null ? "" : duration(passed)}</span>
        <span class="figures">
          {rest === null ? "" : `about ${duration(Math.max(1, rest))} left`}
        </span>
      </p>
    </div>
  );
}
