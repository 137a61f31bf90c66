/** The fleet at a glance: what is rendered now, what waits, what has ended, and who works. */

import { useSignal } from "@preact/signals";
import { Batches } from "../parts/batches.tsx";
import { EndedTile, RunningCard, WaitingRow } from "../parts/job_views.tsx";
import { ProblemBox } from "../parts/problem_box.tsx";
import { Workers } from "../parts/workers.tsx";
import { paths } from "../router.ts";
import { ended, isLoaded, loadProblem, running, waiting, workers } from "../state/fleet.ts";
import type { JobState } from "../wire.ts";

/** So many of those that wait are listed, and of those that have ended; then there is a button. */
const WAITING_SHOWN = 12;
const ENDED_SHOWN = 24;

export function Overview() {
  if (!isLoaded.value) {
    return loadProblem.value ? <ProblemBox problem={loadProblem.value} /> : <Loading />;
  }
  return (
    <div class="overview">
      <h1 class="unseen">Fleet</h1>
      <Figures />
      <div class="overview-jobs">
        <Now />
        <Batches />
        <Waiting />
        <Ended />
      </div>
      <Workers />
    </div>
  );
}

function Figures() {
  const ready = workers.value.filter(({ state }) => state === "warm" || state === "busy").length;
  return (
    <dl class="figures-strip">
      <Figure name="Running" value={running.value.length} />
      <Figure name="Waiting" value={waiting.value.length} />
      <Figure
        name="Workers ready"
        value={`${ready} of ${workers.value.length}`}
        leadsTo="#workers"
      />
    </dl>
  );
}

function Figure({
  name,
  value,
  leadsTo,
}: {
  name: string;
  value: number | string;
  leadsTo?: string;
}) {
  return (
    <div>
      <dt>{leadsTo === undefined ? name : <a href={leadsTo}>{name}</a>}</dt>
      <dd class="figures">{value}</dd>
    </div>
  );
}

function Now() {
  const nothing = running.value.length === 0;
  return (
    <section aria-labelledby="now">
      <h2 id="now">Now</h2>
      {nothing ? (
        <Idle />
      ) : (
        <ul class="running">
          {running.value.map((job) => (
            <RunningCard key={job.id} job={job} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Idle() {
  const isFirst = ended.value.length === 0 && waiting.value.length === 0;
  return (
    <div class="empty card">
      <p>{isFirst ? "No job has been submitted yet." : "Nothing is being rendered."}</p>
      <a class="button is-main" href={paths.newJob()}>
        New job
      </a>
    </div>
  );
}

function Waiting() {
  const isWhole = useSignal(false);
  const all = waiting.value;
  if (all.length === 0) {
    return null;
  }
  const shown = isWhole.value ? all : all.slice(0, WAITING_SHOWN);
  return (
    <section aria-labelledby="waiting">
      <h2 id="waiting">
        Waiting <span class="count figures">{all.length}</span>
      </h2>
      <ol class="waiting card">
        {shown.map((job) => (
          <WaitingRow key={job.id} job={job} />
        ))}
      </ol>
      {shown.length < all.length && (
        <button
          type="button"
          class="button"
          onClick={() => {
            isWhole.value = true;
          }}
        >
          Show all {all.length}
        </button>
      )}
    </section>
  );
}

const CHOICES: [string, JobState | null][] = [
  ["All", null],
  ["Done", "finished"],
  ["Failed", "failed"],
  ["Cancelled", "cancelled"],
];

function Ended() {
  const only = useSignal<JobState | null>(null);
  const most = useSignal(ENDED_SHOWN);
  if (ended.value.length === 0) {
    return null;
  }
  const all = ended.value.filter((job) => only.value === null || job.state === only.value);
  return (
    <section aria-labelledby="ended">
      <div class="section-head">
        <h2 id="ended">Ended</h2>
        <fieldset class="choices">
          <legend class="unseen">Which of them</legend>
          {CHOICES.map(([text, state]) => (
            <button
              key={text}
              type="button"
              aria-pressed={only.value === state}
              onClick={() => {
                only.value = state;
              }}
            >
              {text}
            </button>
          ))}
        </fieldset>
      </div>
      {all.length === 0 && <p class="is-quiet">None of the newest jobs.</p>}
      <ul class="ended">
        {all.slice(0, most.value).map((job) => (
          <EndedTile key={job.id} job={job} />
        ))}
      </ul>
      {all.length > most.value && (
        <button
          type="button"
          class="button"
          onClick={() => {
            most.value += ENDED_SHOWN;
          }}
        >
          Show more
        </button>
      )}
    </section>
  );
}

function Loading() {
  return (
    <div class="overview" aria-busy="true">
      <p class="unseen" role="status">
        Loading the fleet
      </p>
      <div class="skeleton is-strip" />
      <div class="overview-jobs">
        <div class="skeleton is-card" />
        <div class="skeleton is-card" />
      </div>
      <div class="skeleton is-card" />
    </div>
  );
}
