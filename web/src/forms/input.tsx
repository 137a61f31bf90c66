/** The input of a field, by its kind. */

import type { Entry } from "./draft.ts";
import { Flags, List, Parts } from "./groups.tsx";
import {
  Choice,
  Colour,
  FileInput,
  isShort,
  NumberInput,
  Numbers,
  Switch,
  Text,
} from "./inputs.tsx";
import type { Field } from "./schema.ts";

interface Props {
  id: string;
  /** What it is called, where there is no label. */
  called?: string;
  field: Field;
  entry: Entry;
  describedBy: string;
  isWrong: boolean;
  onEntry: (entry: Entry) => void;
}

/** Whether a field has several inputs, which have a legend in common. */
export function isGroup(field: Field): boolean {
  return SEVERAL.has(field.kind) || (field.kind === "choice" && isShort(field.options));
}

const SEVERAL = new Set(["numbers", "flags", "list", "parts"]);

export function Input({ field, entry, ...rest }: Props) {
  const text = typeof entry === "string" ? entry : "";
  const several = Array.isArray(entry) ? entry : [];
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
          isOptional={!field.isRequired && (field.default ?? null) === null}
          entry={text}
        />
      );
    case "switch":
      return <Switch {...rest} isOn={entry === true} />;
    case "file":
      return <FileInput {...rest} {...field} entry={text} />;
    case "numbers":
      return (
        <Numbers {...rest} count={field.count} entries={several.map(String)} label={field.label} />
      );
    case "flags":
      return <Flags {...rest} options={field.options} chosen={several} />;
    case "list":
      return <List {...rest} field={field} entries={several} />;
    case "parts":
      return (
        <Parts
          {...rest}
          field={field}
          draft={typeof entry === "object" && !Array.isArray(entry) ? entry : {}}
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
