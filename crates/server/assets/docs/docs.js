// Lists what /openapi.json describes, and lets one try it. The token stays in this closure.
"use strict";
(() => {
  const METHODS = ["get", "post", "put", "patch", "delete"];
  const at = (id) => document.getElementById(id);
  let token = "";
  let whole = {};

  at("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value.trim();
    show();
  });
  at("search").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const element of document.querySelectorAll(".operation")) {
      element.hidden = !words.every((word) => element.dataset.text.includes(word));
    }
  });
  // A browser that was let in before needs no token.
  show(true);

  async function show(isFirst = false) {
    try {
      const response = await ask("GET", "/openapi.json");
      if (!response.ok) {
        if (!isFirst) say(problemText(await response.json()));
        return;
      }
      whole = await response.json();
    } catch (error) {
      say(String(error));
      return;
    }
    at("title").textContent = `${whole.info.title} ${whole.info.version}`;
    at("search").hidden = false;
    say(whole.info.summary ?? "");
    list();
  }

  function list() {
    const main = at("operations");
    main.replaceChildren();
    const byTag = new Map((whole.tags ?? []).map((tag) => [tag.name, []]));
    for (const [path, item] of Object.entries(whole.paths)) {
      for (const method of METHODS.filter((name) => name in item)) {
        const operation = item[method];
        const tag = operation.tags?.[0] ?? "other";
        if (!byTag.has(tag)) byTag.set(tag, []);
        byTag.get(tag).push(entry(method, path, operation, item.parameters ?? []));
      }
    }
    for (const [tag, entries] of byTag) {
      if (!entries.length) continue;
      const heading = document.createElement("h2");
      heading.textContent = tag;
      main.append(heading, ...entries);
    }
  }

  function entry(method, path, operation, shared) {
    const element = at("operation").content.firstElementChild.cloneNode(true);
    const part = (name) => element.querySelector(name);
    const parameters = [...shared, ...(operation.parameters ?? [])].map(resolved);
    const schema = operation.requestBody?.content?.["application/json"]?.schema;
    element.dataset.text = `${method} ${path} ${operation.summary ?? ""} ${operation.description ?? ""}`.toLowerCase();
    part(".method").textContent = method;
    part(".path").textContent = path;
    part(".summary").textContent = operation.summary ?? "";
    part(".description").textContent = operation.description ?? "";
    part(".schemas").textContent = JSON.stringify(
      { body: schema, responses: operation.responses }, null, 2);
    const inputs = parameters.map((parameter) => row(part("tbody"), parameter));
    const body = part("textarea");
    if (schema) body.value = JSON.stringify(example(schema), null, 2);
    else part(".body").hidden = true;
    part(".try").addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(method, path, inputs, schema ? body.value : null, part(".answer"));
    });
    return element;
  }

  function row(table, parameter) {
    const line = table.insertRow();
    line.insertCell().textContent = `${parameter.name}${parameter.required ? " *" : ""}`;
    const input = document.createElement("input");
    input.setAttribute("aria-label", parameter.name);
    line.insertCell().append(input);
    line.insertCell().textContent = parameter.description ?? "";
    return { parameter, input };
  }

  async function attempt(method, path, inputs, body, shown) {
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (!input.value) continue;
      else if (parameter.in === "query") query.append(parameter.name, input.value);
      else if (parameter.in === "header") headers[parameter.name] = input.value;
    }
    const address = query.size ? `${path}?${query}` : path;
    shown.hidden = false;
    shown.textContent = "…";
    try {
      const response = await ask(method.toUpperCase(), address, body, headers);
      shown.classList.toggle("failed", !response.ok);
      const lines = [`${response.status} ${response.statusText}`];
      for (const name of ["content-type", "location", "etag", "server-timing"]) {
        if (response.headers.has(name)) lines.push(`${name}: ${response.headers.get(name)}`);
      }
      shown.textContent = lines.join("\n");
      await read(response, (text) => { shown.textContent = `${lines.join("\n")}\n\n${text}`; });
    } catch (error) {
      shown.classList.add("failed");
      shown.textContent += `\n${error}`;
    }
  }

  // Streams of events have no end: what has come is shown as it comes, up to a bound.
  async function read(response, tell) {
    const LONGEST = 100_000;
    const kind = response.headers.get("content-type") ?? "";
    if (!response.body) return;
    if (!/json|text|xml/.test(kind)) {
      tell(`(${(await response.arrayBuffer()).byteLength} bytes)`);
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      text += value ?? "";
      if (done) tell(pretty(text));
      else tell(text.slice(0, LONGEST));
      if (done) return;
      if (text.length > LONGEST) return reader.cancel();
    }
  }

  function ask(method, address, body = null, headers = {}) {
    const sent = { ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    if (body !== null) sent["Content-Type"] = "application/json";
    return fetch(address, { method, headers: sent, body, cache: "no-store" });
  }

  function resolved(value) {
    const name = value?.$ref;
    if (!name) return value;
    return name.slice(2).split("/").reduce((found, key) => found?.[key], whole) ?? {};
  }

  function example(schema, depth = 0) {
    schema = resolved(schema);
    if (depth > 5 || !schema || typeof schema !== "object") return null;
    if ("default" in schema) return schema.default;
    if ("const" in schema) return schema.const;
    if (schema.enum) return schema.enum[0];
    const choice = schema.oneOf ?? schema.anyOf;
    if (choice) return example(choice[0], depth + 1);
    const type = [schema.type].flat()[0];
    if (type === "object") {
      const members = Object.entries(schema.properties ?? {});
      return Object.fromEntries(members.map(([name, member]) => [name, example(member, depth + 1)]));
    }
    if (type === "array") return (schema.prefixItems ?? []).map((item) => example(item, depth + 1));
    return { string: "", number: schema.minimum ?? 0, integer: schema.minimum ?? 0, boolean: false }[type] ?? null;
  }

  const pretty = (text) => {
    try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
  };
  const problemText = (problem) => [problem.detail, problem.hint].filter(Boolean).join(". ");
  const say = (text) => { at("said").textContent = text; };
})();
