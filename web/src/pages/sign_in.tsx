/** The way in: by the link that `aiobpy serve` prints, or by the server's token. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Mark } from "../parts/mark.tsx";
import { ProblemBox } from "../parts/problem_box.tsx";
import { codeInAddress, signInByCode, signInByToken } from "../state/session.ts";
import type { Problem } from "../wire.ts";

const WHY = {
  ended: "Your session has ended: the server was started anew, or you were away for long.",
  left: "You are signed out.",
};

export function SignIn({ why }: { why?: keyof typeof WHY | undefined }) {
  const token = useSignal("");
  const isBusy = useSignal(false);
  const problem = useSignal<Problem | null>(null);

  const attempt = async (signIn: () => Promise<Problem | null>) => {
    isBusy.value = true;
    problem.value = null;
    problem.value = await signIn();
    isBusy.value = false;
  };

  useEffect(() => {
    const code = codeInAddress();
    if (code !== null) {
      // It is good once, and not to stay in the history.
      history.replaceState(null, "", location.pathname);
      void attempt(() => signInByCode(code));
    }
  }, []);

  const submit = (event: Event) => {
    event.preventDefault();
    void attempt(() => signInByToken(token.value.trim()));
  };

  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit} aria-busy={isBusy.value}>
        <h1>
          <Mark /> aiobpy
        </h1>
        {why && <p>{WHY[why]}</p>}
        {problem.value && <ProblemBox problem={problem.value} />}
        <div class="field">
          <label for="token">Token of the server</label>
          <input
            id="token"
            type="password"
            autocomplete="current-password"
            spellcheck={false}
            required
            value={token.value}
            onInput={(event) => {
              token.value = event.currentTarget.value;
            }}
          />
        </div>
        <button type="submit" class="button is-main" disabled={isBusy.value}>
          {isBusy.value ? "Signing in …" : "Sign in"}
        </button>
        <p class="is-quiet">
          Or have it done for you: <code>aiobpy dashboard</code>, on the computer that serves,
          prints a link that opens this page signed in.
        </p>
      </form>
    </main>
  );
}
