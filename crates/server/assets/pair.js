// Sends the code of the address's fragment to the server, once, and says how it went.
"use strict";

const form = document.getElementById("ask");
const state = document.getElementById("state");
const hint = document.getElementById("hint");
const code = location.hash.slice(1);

// The code is not to stay in the history.
history.replaceState(null, "", location.pathname);

const states = {
  "no-code": ["There is no code here.", "In Blender, choose Pair a Device, and open what its QR code says."],
  waiting: ["Waiting for Blender …", "Somebody at Blender has to allow this device."],
  paired: ["This device is paired.", "You can close this page, or go on to what Blender serves."],
  "code-expired": ["The code has expired.", "It is good once, for two minutes. Let Blender show another one."],
  "wrong-code": ["The code is wrong.", "Let Blender show another one, and scan it again."],
  "pairing-refused": ["Blender has refused this device.", "Nobody there has allowed it."],
  "pairing-unanswered": ["Nobody has answered.", "Let Blender show another code, and stay with it."],
  "too-many-wrong-tokens": ["Too many wrong codes came from here.", "Wait a minute, then scan a new one."],
  unreachable: ["Blender cannot be reached.", "Is its web server still on?"],
};

function show(name) {
  const [text, more] = states[name] ?? ["That did not work.", name];
  document.body.dataset.state = name;
  state.textContent = text;
  hint.textContent = more;
}

function guess() {
  const agent = navigator.userAgent;
  const known = ["iPad", "iPhone", "Android", "Macintosh", "Windows", "Linux"];
  return known.find((name) => agent.includes(name)) ?? "Browser";
}

async function claim(name) {
  const response = await fetch("/pair/claim", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code, name }),
    credentials: "same-origin",
  });
  return response.ok ? "paired" : (await response.json()).type;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.hidden = true;
  show("waiting");
  try {
    show(await claim(form.elements.namedItem("name").value));
  } catch {
    show("unreachable");
  }
});

if (code) {
  form.elements.namedItem("name").value = guess();
  form.hidden = false;
} else {
  show("no-code");
}
