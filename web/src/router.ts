/** Which page is shown: by the path, so that each has an address of its own. */

import { computed, signal } from "@preact/signals";

const BASE = "/dashboard";

export type Route =
  | { page: "overview" }
  | { page: "job"; id: string }
  | { page: "batch"; id: string }
  | { page: "new job"; template: string | null }
  | { page: "missing" };

const path = signal(location.pathname);

export const route = computed<Route>(() => routeOf(path.value));

export const paths = {
  overview: () => BASE,
  job: (id: string) => `${BASE}/jobs/${encodeURIComponent(id)}`,
  batch: (id: string) => `${BASE}/batches/${encodeURIComponent(id)}`,
  newJob: (template?: string) =>
    template === undefined ? `${BASE}/new` : `${BASE}/new/${encodeURIComponent(template)}`,
};

export function go(to: string): void {
  history.pushState(null, "", to);
  path.value = location.pathname;
  scrollTo(0, 0);
}

/** Takes over clicks on links to pages of ours; returns what undoes it. */
export function takeLinks(): () => void {
  const clicked = (event: MouseEvent) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain =
      event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target || link.download) {
      return;
    }
    const isOurs = link.origin === location.origin && routeOf(link.pathname).page !== "missing";
    if (isOurs && !link.hash) {
      event.preventDefault();
      go(link.pathname + link.search);
    }
  };
  const moved = () => {
    path.value = location.pathname;
  };
  addEventListener("click", clicked);
  addEventListener("popstate", moved);
  return () => {
    removeEventListener("click", clicked);
    removeEventListener("popstate", moved);
  };
}

function routeOf(pathname: string): Route {
  if (pathname !== BASE && !pathname.startsWith(`${BASE}/`)) {
    return { page: "missing" };
  }
  const [first, second, more] = pathname
    .slice(BASE.length)
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
  if (first === undefined) {
    return { page: "overview" };
  }
  if (more === undefined && first === "jobs" && second !== undefined) {
    return { page: "job", id: second };
  }
  if (more === undefined && first === "batches" && second !== undefined) {
    return { page: "batch", id: second };
  }
  if (more === undefined && first === "new") {
    return { page: "new job", template: second ?? null };
  }
  return { page: "missing" };
}

/** What is no encoding stays as it is: no page has that name. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
