/** What the pages of one job and of one batch begin with, and what they show in place of what is not there. */

import type { ComponentChildren } from "preact";
import { shortId } from "../format.ts";
import { Icon } from "../parts/icon.tsx";
import { ProblemBox } from "../parts/problem_box.tsx";
import { StateBadge } from "../parts/state_badge.tsx";
import { paths } from "../router.ts";
import type { JobState, Problem } from "../wire.ts";

interface Props {
  id: string;
  template: string;
  state: JobState;
  /** What can be done, and what else there is to say. */
  children: ComponentChildren;
}

export function PageHead({ id, template, state, children }: Props) {
  return (
    <header class="job-head">
      <a class="button is-bare back" href={paths.overview()}>
        <Icon of="back" />
        <span>Fleet</span>
      </a>
      <h1>
        {template} <span class="is-quiet figures">{shortId(id)}</span>
      </h1>
      <StateBadge state={state} />
      {children}
    </header>
  );
}

/** `what` as in `job`; without a problem, it is on its way. */
export function NotThere({ what, problem }: { what: string; problem: Problem | null }) {
  if (problem === null) {
    return <div class="skeleton is-card" aria-busy="true" />;
  }
  return (
    <section class="empty">
      <h1>No such {what}</h1>
      <ProblemBox problem={problem} />
      <p>
        <a href={paths.overview()}>To the fleet</a>
      </p>
    </section>
  );
}
