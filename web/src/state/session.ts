/** Who is signed in, and what the page says while nobody is. */

import { computed, signal } from "@preact/signals";
import { api, onAnswer } from "../api.ts";
import type { Principal, Problem } from "../wire.ts";

export type Session =
  | { is: "unknown" }
  | { is: "signed out"; why?: "ended" | "left" }
  | { is: "signed in"; as: Principal };

export const session = signal<Session>({ is: "unknown" });

/** Whether who is signed in may submit and cancel. */
export const mayControl = computed(
  () => session.value.is === "signed in" && session.value.as.scope !== "read",
);

/** Whether the server answers. */
export const isReachable = signal(true);

/** The code of a link that signs in; it is in the fragment, which browsers keep to themselves. */
export function codeInAddress(): string | null {
  return /^#([0-9a-f]{32})$/.exec(location.hash)?.[1] ?? null;
}

/** Asks the server who we are. */
export async function recall(): Promise<void> {
  const answer = await api.me();
  if (answer.ok) {
    session.value = { is: "signed in", as: answer.value };
  } else if (answer.problem.status === 401) {
    session.value = { is: "signed out" };
  }
}

export async function signInByToken(token: string): Promise<Problem | null> {
  return signedIn(await api.logInByToken(token));
}

export async function signInByCode(code: string): Promise<Problem | null> {
  return signedIn(await api.logInByCode(code));
}

export async function signOut(): Promise<void> {
  await api.logOut();
  session.value = { is: "signed out", why: "left" };
}

function signedIn(answer: Awaited<ReturnType<typeof api.me>>): Problem | null {
  if (!answer.ok) {
    return answer.problem;
  }
  session.value = { is: "signed in", as: answer.value };
  return null;
}

onAnswer((status) => {
  isReachable.value = status !== 0;
  // Sessions live in the server's memory: one that starts anew knows none.
  if (status === 401 && session.value.is === "signed in") {
    session.value = { is: "signed out", why: "ended" };
  }
});
