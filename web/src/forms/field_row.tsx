/** A field with its label, what it is for, and what is wrong with it. */

import { useId } from "preact/hooks";
import type { Entry } from "./draft.ts";
import { Choice, Colour, FileInput, NumberInput, Numbers, Switch, Text } from "./inputs.tsx";
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
  const isGroup = field.kind === "numbers" || (field.kind === "choice" && isShort(field.options));
  const Row = isGroup ? "fieldset" : "div";
  return (
    <Row class={`field is-${field.kind}`} aria-describedby={isGroup ? said : undefined}>
      {isGroup ? <legend>{labelOf(field)}</legend> : <label for={id}>{labelOf(field)}</label>}
      <Input {...input} field={field} entry={entry} />
      <p class="said" id={said}>
        {wrong !== undefined && <strong class="wrong">{wrong} </strong>}
        {field.description}
      </p>
    </Row>
  );
}

/** So few words that they are shown side by side. */
function isShort(options: readonly unknown[]): boolean {
  return options.length <= 5 && options.join("").length <= 36;
}

function labelOf(field: Field) {
  return (
    <>
      {field.label}
      {field.isRequired && <span class="is-quiet"> (needed)</span>}
    </>
  );
}

interface InputProps {
  id: string;
  field: Field;
  entry: Entry;
  describedBy: string;
  isWrong: boolean;
  onEntry: (entry: Entry) => void;
}

function Input({ field, entry, ...rest }: InputProps) {
  const text = typeof entry === "string" ? entry : "";
  switch (field.kind) {
    case "number":
      return <NumberInput {...rest} {...field} entry={text} label={field.label} />;
    case "colour":
      return <Colour {...rest} entry={text} label={field.label} />;
    case "choice":
      return (
        <Choice
          {...rest}
          options={field.options}
          isOptional={!field.isRequired && field.default === undefined}
          isShort={isShort(field.options)}
          entry={text}
        />
      );
    case "switch":
      return <Switch {...rest} isOn={entry === true} />;
    case "file":
      return <FileInput {...rest} {...field} entry={text} />;
    case "numbers":
      return (
        <Numbers
          {...rest}
          count={field.count}
          entries={Array.isArray(entry) ? entry : []}
          label={field.label}
        />
      );
    case "text":
      return <Text {...rest} {...field} entry={text} />;
    case "json":
      return <Text {...rest} isLong placeholder="" entry={text} />;
    default:
      field satisfies never;
      return null;
  }
}
