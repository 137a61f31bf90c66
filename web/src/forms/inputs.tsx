/** One input for each kind of field. */

import { useSignal } from "@preact/signals";
import { api } from "../api.ts";
import { bytes, isColour } from "../format.ts";
import type { Json } from "../wire.ts";

interface Common {
  id: string;
  /** The id of what is said of the field. */
  describedBy: string;
  isWrong: boolean;
  /** What it is called, where there is no label. */
  called?: string;
}

interface OfText extends Common {
  entry: string;
  onEntry: (entry: string) => void;
}

/** More steps than that are too fine for a slider. */
const MOST_STEPS = 2000;

interface NumberProps extends OfText {
  label: string;
  isInteger: boolean;
  minimum?: number;
  maximum?: number;
  step: number;
}

export function NumberInput({
  label,
  isInteger,
  minimum,
  maximum,
  step,
  entry,
  onEntry,
  ...rest
}: NumberProps) {
  const hasEnds = minimum !== undefined && maximum !== undefined;
  const hasSlider = hasEnds && (maximum - minimum) / step <= MOST_STEPS;
  return (
    <div class="number">
      {hasSlider && (
        <input
          type="range"
          aria-label={`${label}, as a slider`}
          min={minimum}
          max={maximum}
          step={step}
          value={entry === "" ? String((minimum + maximum) / 2) : entry}
          onInput={(event) => onEntry(event.currentTarget.value)}
        />
      )}
      <input
        {...attributes(rest)}
        type="text"
        inputMode={isInteger ? "numeric" : "decimal"}
        autocomplete="off"
        placeholder={placeholderOf(minimum, maximum)}
        value={entry}
        onInput={(event) => onEntry(event.currentTarget.value)}
      />
    </div>
  );
}

function placeholderOf(minimum: number | undefined, maximum: number | undefined): string {
  return minimum === undefined || maximum === undefined ? "" : `${minimum} to ${maximum}`;
}

export function Colour({ label, entry, onEntry, ...rest }: OfText & { label: string }) {
  return (
    <div class="colour">
      <input
        type="color"
        aria-label={`${label}, to choose`}
        value={isColour(entry) ? entry : "#808080"}
        onInput={(event) => onEntry(event.currentTarget.value)}
      />
      <input
        {...attributes(rest)}
        type="text"
        autocomplete="off"
        spellcheck={false}
        placeholder="#rrggbb"
        value={entry}
        onInput={(event) => onEntry(event.currentTarget.value)}
      />
    </div>
  );
}

interface ChoiceProps extends OfText {
  options: readonly Json[];
  isOptional: boolean;
}

/** So few words that they are shown side by side. */
export function isShort(options: readonly Json[]): boolean {
  return options.length <= 5 && options.join("").length <= 36;
}

/** An entry is the option as JSON, so that 1 and "1" are two. */
export function Choice({ options, isOptional, entry, onEntry, ...rest }: ChoiceProps) {
  const all = options.map((option) => ({ key: JSON.stringify(option), text: String(option) }));
  if (isShort(options)) {
    const none = isOptional ? [{ key: "", text: "Default" }] : [];
    return (
      <div class="segments">
        {[...none, ...all].map(({ key, text }) => (
          <label key={key}>
            <input
              type="radio"
              name={rest.id}
              checked={entry === key}
              onChange={() => onEntry(key)}
            />
            <span>{text}</span>
          </label>
        ))}
      </div>
    );
  }
  return (
    <select
      {...attributes(rest)}
      value={entry}
      onChange={(event) => onEntry(event.currentTarget.value)}
    >
      {(isOptional || entry === "") && <option value="">As the template has it</option>}
      {all.map(({ key, text }) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}

export function Switch({
  isOn,
  onEntry,
  ...rest
}: Common & { isOn: boolean; onEntry: (isOn: boolean) => void }) {
  return (
    <input
      {...attributes(rest)}
      class="switch"
      type="checkbox"
      role="switch"
      aria-checked={isOn}
      checked={isOn}
      onChange={(event) => onEntry(event.currentTarget.checked)}
    />
  );
}

interface TextProps extends OfText {
  isLong: boolean;
  placeholder: string;
  maxLength?: number;
}

export function Text({ isLong, placeholder, maxLength, entry, onEntry, ...rest }: TextProps) {
  const limit = maxLength === undefined ? {} : { maxLength };
  if (isLong) {
    return (
      <textarea
        {...attributes(rest)}
        {...limit}
        rows={4}
        value={entry}
        onInput={(event) => onEntry(event.currentTarget.value)}
      />
    );
  }
  return (
    <input
      {...attributes(rest)}
      {...limit}
      type="text"
      placeholder={placeholder}
      autocomplete="off"
      value={entry}
      onInput={(event) => onEntry(event.currentTarget.value)}
    />
  );
}

interface NumbersProps extends Common {
  label: string;
  count: number;
  entries: readonly string[];
  onEntry: (entries: string[]) => void;
}

export function Numbers({ label, count, entries, onEntry, ...rest }: NumbersProps) {
  return (
    <div class="numbers">
      {Array.from({ length: count }, (_, place) => (
        <input
          key={place}
          {...attributes({ ...rest, id: `${rest.id}-${place}` })}
          type="text"
          inputMode="decimal"
          autocomplete="off"
          aria-label={`${label} ${"XYZW"[place] ?? place + 1}`}
          value={entries[place] ?? ""}
          onInput={(event) => {
            const changed = Array.from({ length: count }, (_, at) => entries[at] ?? "");
            changed[place] = event.currentTarget.value;
            onEntry(changed);
          }}
        />
      ))}
    </div>
  );
}

interface FileProps extends OfText {
  label: string;
  accept: string;
  isSentBefore: boolean;
  mayBePath: boolean;
}

/** The entry is the file in base64, or the name that the server has given it. */
export function FileInput(props: FileProps) {
  const { label, accept, isSentBefore, mayBePath, entry, onEntry, ...rest } = props;
  const state = useSignal("");
  const take = async (file: File | undefined) => {
    if (!file) {
      return;
    }
    state.value = `Sending ${file.name} …`;
    const sent = isSentBefore ? await api.send(file) : { ok: true as const, value: null };
    if (!sent.ok) {
      state.value = sent.problem.detail;
      return;
    }
    onEntry(sent.value ? sent.value.name : await inBase64(file));
    state.value = `${file.name}, ${bytes(file.size)}`;
  };
  return (
    <div class="file">
      {mayBePath && (
        <input
          {...attributes(rest)}
          type="text"
          autocomplete="off"
          spellcheck={false}
          placeholder="A path on the server, or a file of yours"
          value={entry}
          onInput={(event) => onEntry(event.currentTarget.value)}
        />
      )}
      <input
        {...(mayBePath ? { "aria-label": `${label}, a file of yours` } : attributes(rest))}
        type="file"
        accept={accept}
        onChange={(event) => take(event.currentTarget.files?.[0])}
      />
      <p class="is-quiet" role="status">
        {state.value || (entry !== "" && !mayBePath ? "As before" : "")}
      </p>
    </div>
  );
}

function inBase64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function attributes({ id, describedBy, isWrong, called }: Common) {
  return { id, "aria-describedby": describedBy, "aria-invalid": isWrong, "aria-label": called };
}
