/** One job: its picture, what was asked for, what has happened, and what went wrong. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes, duration, elapsed, shortId } from "../format.ts";
import { CancelButton } from "../parts/cancel_button.tsx";
import { Icon } from "../parts/icon.tsx";
import { NotThere, PageHead } from "../parts/page_head.tsx";
import { Parameters } from "../parts/parameters.tsx";
import { Picture, resultAddress } from "../parts/picture.tsx";
import { ProblemBox } from "../parts/problem_box.tsx";
import { Progress } from "../parts/progress.tsx";
import { Story } from "../parts/story.tsx";
import { paths } from "../router.ts";
import { fetchJob, jobs, now } from "../state/fleet.ts";
import { mayControl } from "../state/session.ts";
import { isFinal, type Job, type Problem } from "../wire.ts";

export function JobPage({ id }: { id: string }) {
  const problem = useSignal<Problem | null>(null);
  const job = useComputed(() => jobs.value.get(id)).value;
  useEffect(() => {
    void fetchJob(id).then((found) => {
      problem.value = found;
    });
  }, [id]);
  return job ? <Known job={job} /> : <NotThere what="job" problem={problem.value} />;
}

function Known({ job }: { job: Job }) {
  return (
    <article class="job">
      <PageHead {...job}>
        {job.batch && <a href={paths.batch(job.batch)}>of a batch</a>}
        <Actions job={job} />
      </PageHead>
      <div class="job-picture">
        <Picture job={job} isWhole />
        {job.state === "running" && <Progress job={job} />}
        <p class="unseen" role="status">
          {isFinal(job.state) ? `${job.template}: ${job.state}` : ""}
        </p>
      </div>
      <div class="job-facts">
        {job.problem && (
          <ProblemBox
            problem={job.problem}
            heading={
              job.state === "failed" ? job.problem.title : `An attempt failed: ${job.problem.title}`
            }
          />
        )}
        <section class="card" aria-labelledby="asked">
          <h2 id="asked">Asked for</h2>
          <Parameters job={job} />
        </section>
        <Facts job={job} />
        <Story job={job} />
      </div>
    </article>
  );
}

function Actions({ job }: { job: Job }) {
  return (
    <div class="actions">
      {!isFinal(job.state) && <CancelButton job={job} />}
      {job.state === "finished" && (
        <a class="button" href={resultAddress(job)} download={fileName(job)}>
          <Icon of="download" />
          <span>Download</span>
        </a>
      )}
      {mayControl.value && (
        <a class="button" href={`${paths.newJob(job.template)}?from=${job.id}`}>
          <Icon of="again" />
          <span>Again, changed</span>
        </a>
      )}
    </div>
  );
}

function Facts({ job }: { job: Job }) {
  const took = elapsed(job, now.value);
  const facts: [string, string][] = [
    ["Submitted", moment(job.created_at)],
    ...(job.started_at ? [["Began", moment(job.started_at)] as [string, string]] : []),
    ...(took === null
      ? []
      : [[isFinal(job.state) ? "Took" : "So far", duration(took)] as [string, string]]),
    ...(job.worker ? [["Worker", job.worker] as [string, string]] : []),
    ...(job.attempt > 1 ? [["Attempts", String(job.attempt)] as [string, string]] : []),
    ...(job.artefact
      ? [
          ["Result", `${job.artefact.content_type}, ${bytes(job.artefact.bytes)}`] as [
            string,
            string,
          ],
        ]
      : []),
  ];
  return (
    <section class="card" aria-labelledby="facts">
      <h2 id="facts">Facts</h2>
      <dl class="parameters">
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="figures">{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function moment(at: string): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

function fileName(job: Job): string {
  const kind = job.artefact?.content_type.split("/")[1] ?? "bin";
  const suffixes: Record<string, string> = { jpeg: "jpg", "x-exr": "exr", "svg+xml": "svg" };
  return `${job.template}-${shortId(job.id)}.${suffixes[kind] ?? kind}`;
}
