/** The picture of a job: the result as soon as there is one, the latest preview until then. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../parts/icon.tsx";
import { isLive } from "../state/fleet.ts";
import { newestPictures } from "../state/pictures.ts";
import type { Job } from "../wire.ts";

/** What every browser shows. */
const SHOWN = new Set(["image/png", "image/jpeg", "image/webp", "image/avif"]);

interface Props {
  job: Job;
  /** A small one is fetched when it comes into view. */
  isSmall?: boolean;
  /** Whether its frame has its shape. */
  isWhole?: boolean;
}

export function Picture({ job, isSmall = false, isWhole = false }: Props) {
  return (
    <div class={`picture ${isWhole ? "is-whole" : ""}`}>
      <Content key={job.state} job={job} isSmall={isSmall} />
    </div>
  );
}

export function resultAddress(job: Job): string {
  return `/api/v1/jobs/${job.id}/result`;
}

function Content({ job, isSmall = false }: Props) {
  if (job.state === "running") {
    return <Preview job={job} />;
  }
  if (job.state !== "finished" || !job.artefact) {
    return <Placeholder text={PLACEHOLDERS[job.state]} />;
  }
  const { content_type: kind } = job.artefact;
  if (SHOWN.has(kind)) {
    const alt = `Result of ${job.template}`;
    return <img src={resultAddress(job)} alt={alt} loading={isSmall ? "lazy" : "eager"} />;
  }
  if (kind.startsWith("video/")) {
    return <video src={resultAddress(job)} controls={!isSmall} muted loop preload="metadata" />;
  }
  return <Placeholder text={`${kind} – open it by “Download”`} />;
}

const PLACEHOLDERS: Record<Job["state"], string> = {
  queued: "Waits for a worker",
  running: "No picture yet",
  finished: "The result is gone",
  failed: "Failed",
  cancelled: "Cancelled",
};

function Placeholder({ text }: { text: string }) {
  return (
    <div class="picture-none">
      <Icon of="picture" />
      <span>{text}</span>
    </div>
  );
}

/** The latest preview, asked for whenever there is a newer one; what was there stays until then. */
function Preview({ job }: { job: Job }) {
  const shown = useSignal<string | null>(null);
  const looks = useRef({ begun: 0, shown: 0, isOver: false }).current;
  const newest = newestPictures.value.get(job.id);
  useEffect(() => {
    looks.begun += 1;
    const look = looks.begun;
    void previewOf(job.id).then((address) => {
      // One that was begun later may have been answered already.
      if (address === null || looks.isOver || look < looks.shown) {
        revoke(address);
        return;
      }
      revoke(shown.value);
      shown.value = address;
      looks.shown = look;
    });
  }, [job.id, job.attempt, newest, isLive.value]);
  useEffect(
    () => () => {
      looks.isOver = true;
      revoke(shown.value);
    },
    [],
  );
  if (shown.value === null) {
    return <Placeholder text={PLACEHOLDERS.running} />;
  }
  return <img src={shown.value} alt={`${job.template}, as far as it is rendered`} />;
}

/** The address of a copy of the latest preview; null where there is none, or it cannot be had. */
async function previewOf(id: string): Promise<string | null> {
  try {
    const response = await fetch(`/api/v1/jobs/${id}/preview`, { credentials: "same-origin" });
    const kind = response.headers.get("Content-Type") ?? "";
    const isPicture = response.status === 200 && kind.startsWith("image/");
    return isPicture ? URL.createObjectURL(await response.blob()) : null;
  } catch {
    return null;
  }
}

function revoke(address: string | null): void {
  if (address !== null) {
    URL.revokeObjectURL(address);
  }
}
