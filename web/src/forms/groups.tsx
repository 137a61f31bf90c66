/** Inputs of what has several values: flags, lists, and fields that belong together. */

import { useRef } from "preact/hooks";
import { Icon } from "../parts/icon.tsx";
import type { Json } from "../wire.ts";
import { type Draft, draftOf, type Entry } from "./draft.ts";
import { Input, isGroup } from "./input.tsx";
import type { Field } from "./schema.ts";

interface Common {
  id: string;
  describedBy: string;
  isWrong: boolean;
}

interface FlagsProps extends Common {
  options: readonly Json[];
  chosen: readonly Entry[];
  onEntry: (entry: Entry) => void;
}

export function Flags({ options, chosen, onEntry, ...rest }: FlagsProps) {
  const all = options.map((option) => ({ key: JSON.stringify(option), text: String(option) }));
  return (
    <div class="flags">
      {all.map(({ key, text }) => (
        <label key={key}>
          <input
            type="checkbox"
            aria-invalid={rest.isWrong}
            checked={chosen.includes(key)}
            onChange={(event) => {
              const others = chosen.filter((one) => one !== key);
              onEntry(event.currentTarget.checked ? [...others, key] : others);
            }}
          />
          <span>{text}</span>
        </label>
      ))}
    </div>
  );
}

interface ListProps extends Common {
  field: Field & { kind: "list" };
  entries: readonly Entry[];
  onEntry: (entry: Entry) => void;
}

export function List({ field, entries, onEntry, ...rest }: ListProps) {
  const list = useRef<HTMLDivElement>(null);
  const add = () => {
    onEntry([...entries, draftOf([field.item])[field.item.name] ?? ""]);
    // The new line is there once it has been drawn.
    setTimeout(() => {
      list.current?.querySelector<HTMLElement>(".line:last-of-type :is(input, select)")?.focus();
    });
  };
  return (
    <div class="lines" ref={list}>
      {entries.map((entry, place) => {
        const called = `${field.label} ${place + 1}`;
        return (
          <div class="line" key={place}>
            <Input
              {...rest}
              id={place === 0 ? rest.id : `${rest.id}-${place}`}
              called={called}
              field={{ ...field.item, label: called }}
              entry={entry}
              onEntry={(changed) =>
                onEntry(entries.map((one, other) => (other === place ? changed : one)))
              }
            />
            <button
              type="button"
              class="button is-bare"
              aria-label={`Remove ${called}`}
              onClick={() => onEntry(entries.filter((_, other) => other !== place))}
            >
              <Icon of="cross" />
            </button>
          </div>
        );
      })}
      {entries.length < field.most && (
        <button type="button" class="button is-small" onClick={add}>
          Add {entries.length === 0 ? "one" : "another"}
        </button>
      )}
    </div>
  );
}

interface PartsProps extends Common {
  field: Field & { kind: "parts" };
  /** What they are called together, where there is no legend. */
  called?: string;
  draft: Draft;
  onEntry: (entry: Entry) => void;
}

export function Parts({ field, called, draft, onEntry, ...rest }: PartsProps) {
  const group = called === undefined ? {} : { role: "group" as const, "aria-label": called };
  return (
    <div class="parts" {...group}>
      {field.fields.map((part) => {
        const id = `${rest.id}-${part.name}`;
        const input = (
          <Input
            {...rest}
            id={id}
            field={part}
            entry={draft[part.name] ?? ""}
            onEntry={(entry) => onEntry({ ...draft, [part.name]: entry })}
          />
        );
        // What has several inputs of its own has a name for all of them.
        return isGroup(part) ? (
          <fieldset class="part is-wide" key={part.name}>
            <legend>{part.label}</legend>
            {input}
          </fieldset>
        ) : (
          <div class={`part ${part.kind === "number" ? "" : "is-wide"}`} key={part.name}>
            <label for={id}>{part.label}</label>
            {input}
          </div>
        );
      })}
    </div>
  );
}
