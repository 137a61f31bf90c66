/**
 * Events as they happen. The browser comes back by itself with the number of the last event that it has
 * seen (Last-Event-ID), and the server goes on from there; where it cannot, we begin anew.
 */

import { EVENT_NAMES, type FleetEvent } from "../wire.ts";

export interface Listener {
  /** What has happened, in order. */
  happened(events: FleetEvent[]): void;
  /** The stream is open: from now on nothing is missed. What was before has to be asked for. */
  opened(): void;
  /** No event arrives just now. */
  lost(): void;
}

/** So long are events gathered, so that a burst of them is drawn once. */
const GATHER_MS = 50;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

/** Follows the fleet until the function that is returned is called. */
export function follow(address: string, listener: Listener): () => void {
  let source: EventSource | null = null;
  let gathered: FleetEvent[] = [];
  let handingOver: ReturnType<typeof setTimeout> | undefined;
  let retrying: ReturnType<typeof setTimeout> | undefined;
  let patience = FIRST_RETRY_MS;

  function handOver(): void {
    handingOver = undefined;
    const events = gathered;
    gathered = [];
    listener.happened(events);
  }

  function take(event: MessageEvent<string>): void {
    gathered.push(JSON.parse(event.data) as FleetEvent);
    handingOver ??= setTimeout(handOver, GATHER_MS);
  }

  function open(): void {
    source = new EventSource(address);
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, take);
    }
    source.onopen = () => {
      patience = FIRST_RETRY_MS;
      listener.opened();
    };
    source.onerror = () => {
      listener.lost();
      // Where the server has refused it, the browser does not try again.
      if (source?.readyState === EventSource.CLOSED) {
        retrying = setTimeout(open, patience);
        patience = Math.min(patience * 2, LONGEST_RETRY_MS);
      }
    };
  }

  open();
  return () => {
    source?.close();
    clearTimeout(handingOver);
    clearTimeout(retrying);
  };
}
