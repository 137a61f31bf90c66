/** What a person is told in passing: at the edge of the page, and by a screen reader. */

import { signal } from "@preact/signals";

export interface Announcement {
  text: string;
  kind: "news" | "problem";
}

export const announcement = signal<Announcement | null>(null);

const SHOWN_MS = 6000;
let hiding: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string, kind: Announcement["kind"] = "news"): void {
  announcement.value = { text, kind };
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    announcement.value = null;
  }, SHOWN_MS);
}
