/** A field with its label, what it is for, and what is wrong with it. */

import { useId } from "preact/hooks";
import type { Entry } from "./draft.ts";
import { Input, isGroup } from "./input.tsx";
import type { Field } from "./schema.ts";

interface Props {
  id: string;
  field: Field;
  entry: Entry;
  wrong: string | undefined;
  onEntry: (entry: Entry) => void;
}

export function FieldRow({ id, field, entry, wrong, onEntry }: Props) {
  const said = useId();
  const input = {
    id,
    describedBy: said,
    isWrong: wrong !== undefined,
    onEntry,
  };
  // Several inputs have a legend in common; one has a label.
  const isOfSeveral = isGroup(field);
  const Row = isOfSeveral ? "fieldset" : "div";
  return (
    <Row class={`field is-${field.kind}`} aria-describedby={isOfSeveral ? said : undefined}>
      {isOfSeveral ? <legend>{labelOf(field)}</legend> : <label for={id}>{labelOf(field)}</label>}
      <Input {...input} field={field} entry={entry} />
      <p class="said" id={said}>
        {wrong !== undefined && <strong class="wrong">{wrong} </strong>}
        {field.description}
      </p>
    </Row>
  );
}

function labelOf(field: Field) {
  return (
    <>
      {field.label}
      {field.isRequired && <span class="is-quiet"> (needed)</span>}
    </>
  );
}
