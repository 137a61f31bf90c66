/** What went wrong, with what to do next, and what a process printed before it died. */

import { Icon } from "../parts/icon.tsx";
import type { Problem } from "../wire.ts";

interface Props {
  problem: Problem;
  /** What is more to be said, as what no field has to do with. */
  more?: readonly string[];
  heading?: string;
}

export function ProblemBox({ problem, more = [], heading = problem.title }: Props) {
  return (
    <div class="problem" role="alert">
      <Icon of="warning" />
      <div class="problem-text">
        <p class="problem-title">{heading}</p>
        <p>{problem.detail}</p>
        {more.length > 0 && (
          <ul>
            {more.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        )}
        {problem.hint && <p class="is-quiet">{problem.hint}</p>}
        {problem.crash_text && <CrashText text={problem.crash_text} />}
      </div>
    </div>
  );
}

function CrashText({ text }: { text: string }) {
  return (
    <details>
      <summary>What it printed last</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by the keyboard */}
      <pre class="log" tabIndex={0}>
        {text}
      </pre>
    </details>
  );
}
