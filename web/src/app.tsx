/** What is around every page: who is signed in, where to go, and whether what is shown is the present. */

import { useEffect } from "preact/hooks";
import { BatchPage } from "./pages/batch.tsx";
import { JobPage } from "./pages/job.tsx";
import { Missing } from "./pages/missing.tsx";
import { NewJob } from "./pages/new_job.tsx";
import { Overview } from "./pages/overview.tsx";
import { SignIn } from "./pages/sign_in.tsx";
import { Icon } from "./parts/icon.tsx";
import { Mark } from "./parts/mark.tsx";
import { paths, route, takeLinks } from "./router.ts";
import { announcement } from "./state/announcements.ts";
import { isLive, isLoaded, keepUp } from "./state/fleet.ts";
import { codeInAddress, isReachable, recall, session, signOut } from "./state/session.ts";

export function App() {
  useEffect(takeLinks, []);
  switch (session.value.is) {
    case "unknown":
      return <Opening />;
    case "signed out":
      return <SignIn why={session.value.why} />;
    case "signed in":
      return <Inside />;
    default:
      return null;
  }
}

/** Asks who we are; while the server does not answer, again and again. */
function Opening() {
  useEffect(() => {
    // A link that signs in says more than a cookie does.
    if (codeInAddress() !== null) {
      session.value = { is: "signed out" };
      return;
    }
    void recall();
    const again = setInterval(recall, 2000);
    return () => clearInterval(again);
  }, []);
  return (
    <main class="opening" aria-busy="true">
      <Mark />
      <p role="status">
        {isReachable.value ? "Loading …" : "The server does not answer. Trying again …"}
      </p>
    </main>
  );
}

function Inside() {
  useEffect(keepUp, []);
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href={paths.overview()}>
          <Mark />
          <span>aiobpy</span>
        </a>
        <nav aria-label="Pages">
          <NavLink to={paths.overview()} page="overview" icon="grid" text="Fleet" />
          <NavLink to={paths.newJob()} page="new job" icon="plus" text="New job" />
        </nav>
        <Connection />
        <button type="button" class="button is-bare leave" onClick={signOut}>
          <Icon of="leave" />
          <span>Sign out</span>
        </button>
      </header>
      {isLoaded.value && !isReachable.value && (
        <p class="banner" role="status">
          The server does not answer. What you see is as it was; it goes on by itself as soon as the
          server is back.
        </p>
      )}
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <Announcements />
    </>
  );
}

function Page() {
  const at = route.value;
  switch (at.page) {
    case "overview":
      return <Overview />;
    case "job":
      return <JobPage key={at.id} id={at.id} />;
    case "batch":
      return <BatchPage key={at.id} id={at.id} />;
    case "new job":
      return <NewJob template={at.template} />;
    default:
      return <Missing />;
  }
}

interface NavLinkProps {
  to: string;
  page: string;
  icon: "grid" | "plus";
  text: string;
}

function NavLink({ to, page, icon, text }: NavLinkProps) {
  return (
    <a href={to} aria-current={route.value.page === page ? "page" : undefined}>
      <Icon of={icon} />
      <span>{text}</span>
    </a>
  );
}

function Connection() {
  const [kind, text] = isLive.value
    ? ["is-live", "Live"]
    : isReachable.value
      ? ["is-opening", "Connecting"]
      : ["is-lost", "Offline"];
  return (
    <span class={`connection ${kind}`} role="status">
      {text}
    </span>
  );
}

function Announcements() {
  const told = announcement.value;
  return (
    <div class="announcements" role="status" aria-live="polite">
      {told && <p class={`announcement is-${told.kind}`}>{told.text}</p>}
    </div>
  );
}
