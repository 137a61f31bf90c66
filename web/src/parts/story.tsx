/** What has happened to a job, and is happening: with all that Blender has said. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { percent } from "../format.ts";
import { ProblemBox } from "../parts/problem_box.tsx";
import { follow } from "../state/feed.ts";
import { type Chapter, chaptersOf, type Line, merged } from "../state/story.ts";
import { type FleetEvent, isJobEvent, type Job, type JobEvent } from "../wire.ts";

export function Story({ job }: { job: Job }) {
  const events = useSignal<JobEvent[]>([]);
  const chapters = useComputed(() => chaptersOf(events.value));
  useEffect(() => {
    events.value = [];
    return followToTheEnd(job.id, (newer) => {
      events.value = merged(events.value, newer);
    });
  }, [job.id]);
  return (
    <section class="card" aria-labelledby="story">
      <h2 id="story">What happened</h2>
      <ol class="story">
        {chapters.value.map((chapter) => (
          <ChapterItem key={chapter.key} chapter={chapter} />
        ))}
      </ol>
    </section>
  );
}

function ChapterItem({ chapter }: { chapter: Chapter }) {
  return (
    <li class={`chapter is-${chapter.kind}`}>
      <span class="chapter-head">
        <span class="clipped">{chapter.text}</span>
        <time class="is-quiet figures" dateTime={chapter.at}>
          {clock(chapter.at)}
        </time>
      </span>
      {chapter.lines && chapter.lines.length > 1 && <Lines lines={chapter.lines} />}
      {chapter.kind === "requeued" && chapter.problem && <ProblemBox problem={chapter.problem} />}
    </li>
  );
}

function Lines({ lines }: { lines: readonly Line[] }) {
  return (
    <details>
      <summary>{lines.length} messages of Blender's</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by the keyboard */}
      <pre class="log" tabIndex={0}>
        {lines.map(
          ({ at, progress, message }) =>
            `${clock(at)}  ${percent(progress).padStart(5)}  ${message}\n`,
        )}
      </pre>
    </details>
  );
}

function clock(at: string): string {
  return new Date(at).toLocaleTimeString(undefined, { timeStyle: "medium" });
}

/** The stream of a job ends with it; a browser would ask for it again. */
function followToTheEnd(id: string, told: (events: JobEvent[]) => void): () => void {
  const stop = follow(`/api/v1/jobs/${encodeURIComponent(id)}/events`, {
    happened(events: FleetEvent[]) {
      const ofJob = events.filter(isJobEvent);
      told(ofJob);
      if (ofJob.some(({ type }) => ENDS.has(type))) {
        stop();
      }
    },
    opened() {},
    lost() {},
  });
  return stop;
}

const ENDS = new Set<string>(["job.finished", "job.failed", "job.cancelled"]);
