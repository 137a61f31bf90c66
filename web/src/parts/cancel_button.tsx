/** Cancels a job; says what came of it. */

import { useSignal } from "@preact/signals";
import { Icon } from "../parts/icon.tsx";
import { announce } from "../state/announcements.ts";
import { cancelJob } from "../state/fleet.ts";
import { mayControl } from "../state/session.ts";
import type { Job } from "../wire.ts";

export function CancelButton({ job, isSmall = false }: { job: Job; isSmall?: boolean }) {
  const isAsked = useSignal(false);
  if (!mayControl.value) {
    return null;
  }
  const cancel = async () => {
    isAsked.value = true;
    const problem = await cancelJob(job.id);
    isAsked.value = false;
    announce(
      problem ? problem.detail : `${job.template} is cancelled`,
      problem ? "problem" : "news",
    );
  };
  return (
    <button
      type="button"
      class={`button ${isSmall ? "is-small" : ""}`}
      disabled={isAsked.value}
      aria-label={`Cancel ${job.template}`}
      onClick={cancel}
    >
      <Icon of="cross" />
      <span>{isAsked.value ? "Cancelling …" : "Cancel"}</span>
    </button>
  );
}
