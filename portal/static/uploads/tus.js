/* tus 1.0 (https://tus.io/protocols/resumable-upload) as this portal speaks it, and what goes beyond it. */

const HOME = "/uploads";
const VERSION = { "Tus-Resumable": "1.0.0" };
const BODY = { "Content-Type": "application/offset+octet-stream" };
const JSON_BODY = { "Content-Type": "application/json" };
const STALLED = 60_000;   // without a byte on its way, a line is as good as cut
const UNANSWERED = 600_000;   // what has arrived is looked at before the answer comes
const PASSING = new Set([0, 408, 423, 429, 500, 502, 503, 504]);
const SIGNED_OUT = "You are signed out. Sign in again in another tab, then go on here: nothing is lost.";
const UNEXPLAINED = "The portal did not say why. Tell an administrator.";

/* The portal said no, and will say it again. */
export class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence || UNEXPLAINED);
    this.status = status;
  }
}

/* No answer came, or one that says to try again. */
export class Lost extends Error {}

/* Begin an upload; with `bytes`, which are then the whole of it, it ends here too. */
export async function start(upload, bytes, signal, tell) {
  const headers = { ...VERSION, "Upload-Length": upload.size, "Upload-Metadata": metadataOf(upload) };
  if (bytes) Object.assign(headers, BODY, bytes.checksum);
  const answer = await write("POST", HOME, { headers, body: bytes?.content, signal, tell });
  return { uuid: answer.getResponseHeader("Location").split("/").pop(), ...progressOf(answer) };
}

export async function look(uuid, signal) {
  return progressOf(checked(await ask("HEAD", `${HOME}/${uuid}`, { headers: VERSION, signal })));
}

export async function append(uuid, offset, bytes, signal, tell) {
  const headers = { ...VERSION, ...BODY, ...bytes.checksum, "Upload-Offset": offset };
  return progressOf(await write("PATCH", `${HOME}/${uuid}`, { headers, body: bytes.content, signal, tell }));
}

export async function cancel(uuid) {
  await write("DELETE", `${HOME}/${uuid}`, { headers: VERSION });
}

/* The person's own uploads of the last day. */
export async function list() {
  return JSON.parse(checked(await ask("GET", HOME)).responseText).uploads;
}

/* Say something else of a document that is still on its way. */
export async function describe(uuid, facts) {
  await write("PUT", `${HOME}/${uuid}/facts`, { headers: JSON_BODY, body: JSON.stringify(facts) });
}

/* What of these is there already. */
export async function known(target, files) {
  const body = JSON.stringify({ ...target, files });
  return JSON.parse((await write("POST", `${HOME}/known`, { headers: JSON_BODY, body })).responseText);
}

function progressOf(answer) {
  const document = answer.getResponseHeader("Portal-Document");
  const outcome = document && {
    kind: answer.getResponseHeader("Portal-Outcome"),
    version: Number(answer.getResponseHeader("Portal-Version")),
    href: answer.getResponseHeader("Content-Location"),
  };
  return { offset: Number(answer.getResponseHeader("Upload-Offset") ?? 0), outcome };
}

function metadataOf({ filename, folder, target, facts, sha256 }) {
  const said = { filename, folder, ...target, ...facts, sha256: sha256 && hexOf(sha256) };
  return Object.entries(said).filter(([, value]) => value).map(([key, value]) => `${key} ${packed(value)}`).join(",");
}

function packed(text) {
  return base64Of(new TextEncoder().encode(text));
}

export function base64Of(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* What changes something carries the token of a form of ours. It is another one after signing in again. */
async function write(method, address, options) {
  const first = await ask(method, address, options);
  if (first.status !== 400 || !await renewToken()) return checked(first);
  return checked(await ask(method, address, options));
}

function tokenField() {
  return document.querySelector("[name=csrf_token]");
}

export async function renewToken() {
  const page = await ask("GET", "/admin/upload", { type: "document" });
  const found = page.response?.querySelector("[name=csrf_token]");
  if (found && tokenField()) tokenField().value = found.value;
  return Boolean(found);
}

function checked(answer) {
  if (answer.status === 0) throw new Lost();
  if (new URL(answer.responseURL).pathname !== answer.wanted) throw new Refusal(401, SIGNED_OUT);
  if (answer.status < 300) return answer;
  if (PASSING.has(answer.status)) throw new Lost(sentenceOf(answer));
  throw new Refusal(answer.status, sentenceOf(answer));
}

function sentenceOf(answer) {
  try {
    return JSON.parse(answer.responseText).sentence;
  } catch {
    return "";
  }
}

/* By XMLHttpRequest, which alone says how far a body has gone. */
function ask(method, address, { headers = {}, body = null, type = "", signal, tell } = {}) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const asked = new XMLHttpRequest();
    const stop = () => asked.abort();
    let watch;
    const expectWithin = (limit) => { clearTimeout(watch); watch = setTimeout(stop, limit); };
    asked.open(method, address);
    asked.wanted = new URL(address, location.href).pathname;
    asked.responseType = type;
    const own = { Accept: type ? "text/html" : "application/json", "X-CSRFToken": tokenField()?.value ?? "" };
    for (const [name, value] of Object.entries({ ...own, ...headers })) asked.setRequestHeader(name, value);
    asked.upload.addEventListener("progress", (event) => { expectWithin(STALLED); tell?.(event.loaded); });
    asked.upload.addEventListener("load", () => expectWithin(UNANSWERED));
    asked.addEventListener("loadend", () => {
      clearTimeout(watch);
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted) reject(signal.reason); else resolve(asked);
    });
    signal?.addEventListener("abort", stop);
    expectWithin(STALLED);
    asked.send(body);
  });
}
