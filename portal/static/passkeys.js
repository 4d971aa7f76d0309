/* Passkeys: the portal says what to ask for, the browser asks the person, and the portal looks at what was signed. A form with
   data-passkey, "create" or "get", is hidden until this runs in a browser that knows passkeys. */

const FAILED = "The browser does not let a passkey be used here. Open the portal by its own address, or try another browser.";
const SENTENCES = {
  NotAllowedError: "Nothing was done: the question was closed, or nobody answered it. Press the button to try again.",
  InvalidStateError: "This device holds a passkey for your account already.",
};
const READERS = { create: "parseCreationOptionsFromJSON", get: "parseRequestOptionsFromJSON" };
let waiting = new AbortController();

async function post(form, address, body) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrf_token.value };
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.redirected) return new Promise(() => location.assign(answer.url));   // to prove who one is, before anything else
  const told = await answer.json().catch(() => ({ sentence: FAILED }));
  if (!answer.ok) throw Object.assign(new Error(told.sentence), { name: "Refused" });
  return told;
}

async function choose(form, mediation) {
  waiting.abort();   // a browser asks one question at a time
  const { signal } = waiting = new AbortController();
  const verb = form.dataset.passkey;
  const publicKey = PublicKeyCredential[READERS[verb]](await post(form, form.dataset.options, {}));
  return navigator.credentials[verb]({ publicKey, mediation, signal });
}

async function run(form, mediation) {
  const notice = form.querySelector("[role=alert]");
  let isQuiet = Boolean(mediation);   // until somebody has chosen a passkey, nobody asked for anything
  notice.hidden = true;
  try {
    const credential = await choose(form, mediation);
    isQuiet = false;
    const told = await post(form, form.action, { ...Object.fromEntries(new FormData(form)), credential });
    location.assign(told.next);
  } catch (problem) {
    notice.firstElementChild.textContent = problem.name === "Refused" ? problem.message : SENTENCES[problem.name] ?? FAILED;
    notice.hidden = isQuiet || problem.name === "AbortError";
  }
}

if (window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  document.querySelectorAll("[data-without-passkeys]").forEach((words) => words.remove());
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", (event) => { event.preventDefault(); run(form); });
    form.hidden = false;
  }
  const form = document.querySelector("form[data-autofill]");
  if (form && await PublicKeyCredential.isConditionalMediationAvailable?.()) run(form, "conditional");
}
