/** A job from a template: which one, and then its form. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { label } from "../format.ts";
import { JobForm } from "../forms/job_form.tsx";
import { Picture } from "../parts/picture.tsx";
import { ProblemBox } from "../parts/problem_box.tsx";
import { paths } from "../router.ts";
import { ended, fetchJob, jobs, loadProblem, outputSchema, templates } from "../state/fleet.ts";
import type { Template } from "../wire.ts";

export function NewJob({ template }: { template: string | null }) {
  const all = templates.value?.toSorted((one, other) => rank(one) - rank(other)) ?? null;
  const from = useEarlierJob();
  if (all === null || outputSchema.value === null) {
    return loadProblem.value ? (
      <ProblemBox problem={loadProblem.value} />
    ) : (
      <div class="skeleton is-card" aria-busy="true" />
    );
  }
  if (all.length === 0) {
    return <NoneYet />;
  }
  const chosen =
    all.find(({ name }) => name === template) ?? (template === null ? all[0] : undefined);
  return (
    <div class="new-job">
      <h1>New job</h1>
      <Templates all={all} chosen={chosen} />
      {chosen ? (
        <Chosen template={chosen} from={from} />
      ) : (
        <p>There is no template “{template}”.</p>
      )}
    </div>
  );
}

/** The user's own come before those that are always there. */
function rank({ name }: Pick<Template, "name">): number {
  return name.startsWith(BUILT_IN) ? 1 : 0;
}

const BUILT_IN = "builtin/";

/** The job whose values the form begins with, once it is known; null if there is none. */
function useEarlierJob(): string | null {
  const id = new URLSearchParams(location.search).get("from");
  const isKnown = useSignal(id === null || jobs.value.has(id));
  useEffect(() => {
    if (id !== null && !isKnown.value) {
      void fetchJob(id).then(() => {
        isKnown.value = true;
      });
    }
  }, [id]);
  return isKnown.value ? id : null;
}

function NoneYet() {
  return (
    <section class="empty card" aria-busy="true">
      <h1>New job</h1>
      <p>The templates are known as soon as the first worker is ready.</p>
    </section>
  );
}

function Templates({ all, chosen }: { all: readonly Template[]; chosen: Template | undefined }) {
  return (
    <nav class="templates" aria-label="Templates">
      {all.map(({ name, broken }) => (
        <a
          key={name}
          href={paths.newJob(name)}
          class={`${broken === undefined ? "" : "is-broken"} ${rank({ name }) === 0 ? "" : "is-built-in"}`}
          aria-current={name === chosen?.name ? "page" : undefined}
        >
          {rank({ name }) === 0 ? name : label(name.slice(BUILT_IN.length))}
        </a>
      ))}
    </nav>
  );
}

function Chosen({ template, from }: { template: Template; from: string | null }) {
  const earlier = from === null ? undefined : jobs.value.get(from);
  const latest = ended.value.find(
    (job) => job.template === template.name && job.state === "finished",
  );
  return (
    <div class="chosen">
      <div class="card">
        <h2>{template.name}</h2>
        {template.description && <p class="is-quiet">{template.description}</p>}
        {template.broken === undefined ? (
          <JobForm key={`${template.name} ${earlier?.id}`} template={template} earlier={earlier} />
        ) : (
          <ProblemBox
            problem={{
              type: "broken-template",
              title: "This template cannot be used",
              status: 500,
              detail: template.broken,
            }}
          />
        )}
      </div>
      {latest && (
        <aside class="latest">
          <h2>Latest picture</h2>
          <a href={paths.job(latest.id)}>
            <Picture job={latest} isWhole />
          </a>
        </aside>
      )}
    </div>
  );
}
