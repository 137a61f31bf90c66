/** The form of a template: its own parameters, then the picture's, then the job's. */

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { api } from "../api.ts";
import { ProblemBox } from "../parts/problem_box.tsx";
import { go, paths } from "../router.ts";
import { announce } from "../state/announcements.ts";
import { outputSchema, pools, put } from "../state/fleet.ts";
import { mayControl } from "../state/session.ts";
import type { BatchRequest, Job, JobRequest, Json, Problem, Template } from "../wire.ts";
import { type Draft, draftOf, read } from "./draft.ts";
import { FieldRow } from "./field_row.tsx";
import { jobFields, outputOf } from "./job_fields.ts";
import { type Placed, place } from "./problems.ts";
import { type Field, fieldsOf } from "./schema.ts";
import { batchOf, isSeveral, ONE, type Several } from "./several.ts";
import { SeveralFields } from "./several_fields.tsx";

/** Where each of the three groups stands in a request. */
const GROUPS = { params: "params/", output: "output/", job: "" } as const;
type Group = keyof typeof GROUPS;

/** Where the fields of a batch stand in a request. */
const FRAMES = "frames";
const VALUES = "matrix";
/** What a line can say. */
const VARIED = new Set(["choice", "colour", "number", "switch", "text"]);

interface Props {
  template: Template;
  /** The job whose values the form begins with. */
  earlier: Job | undefined;
}

export function JobForm({ template, earlier }: Props) {
  const fields = useMemo(
    () => ({
      params: fieldsOf(template.params_schema),
      output: fieldsOf(outputOf(template.formats ?? [], outputSchema.value ?? {})),
      job: jobFields(pools.value),
    }),
    [template, outputSchema.value, pools.value.join()],
  );
  const draft = useSignal<Record<Group, Draft>>(draftsOf(fields, earlier));
  const several = useSignal<Several>(ONE);
  const wrong = useSignal<Record<string, string>>({});
  const problem = useSignal<{ is: Problem; elsewhere: string[] } | null>(null);
  const isBusy = useSignal(false);
  const key = useRef(crypto.randomUUID());
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (Object.keys(wrong.value).length > 0) {
      form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    }
  }, [wrong.value]);

  const submit = async (event: Event) => {
    event.preventDefault();
    const asked = requestOf(template, fields, draft.value);
    wrong.value = asked.wrong;
    problem.value = null;
    if (Object.keys(asked.wrong).length > 0) {
      return;
    }
    const batch = batchOf(asked.request, several.value, fields.params);
    if ("wrong" in batch) {
      wrong.value = { [VALUES]: batch.wrong };
      return;
    }
    isBusy.value = true;
    const answer = isSeveral(several.value)
      ? await submitBatch(batch.request, key.current)
      : await submitJob(asked.request, key.current);
    isBusy.value = false;
    if (answer.ok) {
      announce(`${template.name} is submitted`);
      go(answer.value);
      return;
    }
    // What the server has refused is another request when it is mended.
    key.current = answer.problem.status === 0 ? key.current : crypto.randomUUID();
    const placed = place(ofJob(answer.problem), namesOf(fields));
    problem.value = { is: forPeople(answer.problem, placed), elsewhere: placed.elsewhere };
    wrong.value = placed.byField;
  };

  const rows = (group: Group) =>
    fields[group].map((field) => (
      <FieldRow
        key={field.name}
        id={`${group}-${field.name}`}
        field={field}
        entry={draft.value[group][field.name] ?? ""}
        wrong={wrong.value[GROUPS[group] + field.name]}
        onEntry={(entry) => {
          key.current = crypto.randomUUID();
          draft.value = { ...draft.value, [group]: { ...draft.value[group], [field.name]: entry } };
        }}
      />
    ));

  return (
    <form class="job-form" ref={form} noValidate onSubmit={submit} aria-busy={isBusy.value}>
      {problem.value && <ProblemBox problem={problem.value.is} more={problem.value.elsewhere} />}
      {fields.params.length === 0 ? (
        <p class="is-quiet">This template has no parameters.</p>
      ) : (
        <div class="fields">{rows("params")}</div>
      )}
      {fields.output.length > 0 && (
        <details class="group" open={earlier !== undefined}>
          <summary>Picture</summary>
          <div class="fields">{rows("output")}</div>
        </details>
      )}
      <details class="group">
        <summary>Several at once</summary>
        <SeveralFields
          several={several.value}
          fields={fields.params.filter(({ kind }) => VARIED.has(kind))}
          wrong={{ frames: wrong.value[FRAMES], values: wrong.value[VALUES] }}
          onChange={(changed) => {
            key.current = crypto.randomUUID();
            several.value = changed;
          }}
        />
      </details>
      <details class="group">
        <summary>Queue and webhook</summary>
        <div class="fields">{rows("job")}</div>
      </details>
      <div class="actions">
        <button type="submit" class="button is-main" disabled={isBusy.value || !mayControl.value}>
          {isBusy.value ? "Submitting …" : "Render"}
        </button>
        <button
          type="button"
          class="button"
          onClick={() => {
            draft.value = draftsOf(fields, undefined);
            several.value = ONE;
            wrong.value = {};
            problem.value = null;
          }}
        >
          Reset
        </button>
        {!mayControl.value && <p class="is-quiet">You may look, but not submit.</p>}
      </div>
    </form>
  );
}

/** The address of the page that shows what was submitted. */
type Submitted = { ok: true; value: string } | { ok: false; problem: Problem };

async function submitJob(request: JobRequest, key: string): Promise<Submitted> {
  const answer = await api.submit(request, key);
  if (!answer.ok) {
    return answer;
  }
  put([answer.value]);
  return { ok: true, value: paths.job(answer.value.id) };
}

async function submitBatch(request: BatchRequest, key: string): Promise<Submitted> {
  const answer = await api.submitBatch(request, key);
  return answer.ok ? { ok: true, value: paths.batch(answer.value.id) } : answer;
}

/** In a batch, what all jobs have in common stands below `/job`. */
function ofJob(problem: Problem): Problem {
  const errors = problem.errors?.map(({ pointer, detail }) => ({
    pointer: pointer.replace(/^\/job\//, "/"),
    detail,
  }));
  return errors ? { ...problem, errors } : problem;
}

/** What is told at the fields is not told twice, and the hint is for programs. */
function forPeople(problem: Problem, { byField }: Placed): Problem {
  if (Object.keys(byField).length === 0) {
    return problem;
  }
  const { hint: _, ...rest } = problem;
  return { ...rest, detail: "Look at the fields that are marked." };
}

type Fields = Record<Group, readonly Field[]>;

function draftsOf(fields: Fields, earlier: Job | undefined): Record<Group, Draft> {
  return {
    params: draftOf(fields.params, earlier?.params),
    output: draftOf(fields.output, earlier?.output),
    job: draftOf(fields.job, earlier as Record<string, Json> | undefined),
  };
}

function requestOf(
  template: Template,
  fields: Fields,
  drafts: Record<Group, Draft>,
): { request: JobRequest; wrong: Record<string, string> } {
  const wrong: Record<string, string> = {};
  const said = (group: Group) => {
    const { params, wrong: ofGroup } = read(fields[group], drafts[group]);
    for (const [name, text] of Object.entries(ofGroup)) {
      wrong[GROUPS[group] + name] = text;
    }
    return params;
  };
  const request = {
    template: template.name,
    params: said("params"),
    output: said("output"),
    ...said("job"),
  };
  return { request, wrong };
}

function namesOf(fields: Fields): Set<string> {
  const groups = Object.entries(GROUPS) as [Group, string][];
  const ofGroups = groups.flatMap(([group, prefix]) =>
    fields[group].map(({ name }) => prefix + name),
  );
  return new Set([...ofGroups, FRAMES, VALUES]);
}
