/** Numbers, times and values, as people read them. */

import type { Job, Json } from "./wire.ts";

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** As in `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  const all = Math.max(0, seconds);
  if (all < 10) {
    return `${all.toFixed(1)} s`;
  }
  const whole = Math.round(all);
  if (whole < 60) {
    return `${whole} s`;
  }
  const pad = (number: number) => String(number).padStart(2, "0");
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** As in `just now`, `12 s ago`, `3 min ago`, `2 h ago`, `4 days ago`. */
export function ago(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  const steps: [number, number, string][] = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86_400, 3600, "h"],
  ];
  if (seconds < 5) {
    return "just now";
  }
  const step = steps.find(([below]) => seconds < below);
  if (step) {
    return `${Math.floor(seconds / step[1])} ${step[2]} ago`;
  }
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

/** How long an attempt has taken so far, or took, in seconds; null if it has not begun. */
export function elapsed(job: Job, now: number): number | null {
  if (!job.started_at) {
    return null;
  }
  const end = job.ended_at ? Date.parse(job.ended_at) : now;
  return Math.max(0, (end - Date.parse(job.started_at)) / 1000);
}

/** How long it will go on, in seconds; null while there is too little to tell by. */
export function remaining(job: Job, now: number): number | null {
  const passed = elapsed(job, now);
  if (job.state !== "running" || passed === null || passed < 1 || job.progress < 0.03) {
    return null;
  }
  return (passed / job.progress) * (1 - job.progress);
}

/** A parameter's value in a line; long ones are cut. */
export function value(of: Json, most = 40): string {
  const text = typeof of === "string" ? of : JSON.stringify(of);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** What a job was asked for, in a line. */
export function summary(params: Record<string, Json>): string {
  const said = Object.entries(params).map(([name, of]) => `${label(name)} ${value(of, 24)}`);
  return said.join(" · ");
}

/** A parameter's name as a label, as in `Text size`. */
export function label(name: string): string {
  const words = name.replace(/_/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The part of an id of version 7 that differs most: its end. */
export function shortId(id: string): string {
  return id.slice(-8);
}

export function isColour(of: Json): of is string {
  return typeof of === "string" && /^#[0-9a-f]{6}$/i.test(of);
}

export function percent(fraction: number): string {
  return `${Math.round(Math.min(1, Math.max(0, fraction)) * 100)} %`;
}
