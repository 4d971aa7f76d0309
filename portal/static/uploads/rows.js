/* One upload as a row: what it is called, how it is, and what can be done with it. */

import { partInWords, sizeInWords, speedInWords, timeInWords } from "./words.js";

const LEFT = { failed: "fail", refused: "fail", done: "has" };
const ICONS = { fail: "warn", has: "state-has", "": "clock" };
const LABELS = {
  failed: "Failed.", refused: "Not accepted.", retrying: "Waiting for the line.", paused: "Paused.", missing: "Not finished.",
  done: "Done.",
};
const ACTS = {
  ready: ["more", "cancel"], waiting: ["pause", "more", "cancel"], sending: ["pause", "more", "cancel"],
  checking: ["more", "cancel"], retrying: ["retry", "more", "cancel"], paused: ["play", "more", "cancel"],
  missing: ["play", "more", "cancel"], failed: ["retry", "more", "cancel"], refused: ["retry", "more", "cancel"], done: ["edit"],
};
const VERBS = {
  retry: "Try again", pause: "Pause", play: "Go on with", more: "More for", cancel: "Cancel", edit: "Edit",
};

export function makeRow(template, upload) {
  const row = template.content.firstElementChild.cloneNode(true);
  const name = row.querySelector(".name span");
  name.append(...breakable(upload.folder ? `${upload.folder}/${upload.filename}` : upload.filename));
  row.querySelector("progress").setAttribute("aria-label", upload.filename);
  for (const button of row.querySelectorAll("[data-act]")) {
    button.setAttribute("aria-label", `${VERBS[button.dataset.act]} ${upload.filename}`);
  }
  return row;
}

/* Only what is different is written: a thousand rows may ask for it four times a second. */
export function fillRow(row, upload, icons) {
  const words = wordsOf(upload);
  if (row.dataset.state !== upload.state) changeState(row, upload, icons);
  const place = row.querySelector("[data-words]");
  if (place.textContent !== words) place.textContent = words;
  const bar = row.querySelector("progress");
  bar.value = upload.size ? upload.sent / upload.size : 0;
}

function changeState(row, upload, icons) {
  const { state } = upload;
  row.dataset.state = state;
  const label = row.querySelector(".state");
  const kind = LEFT[state] ?? "";
  label.hidden = !(state in LABELS);
  label.className = `state ${kind}`;
  label.querySelector("use").setAttribute("href", `${icons}#${ICONS[kind]}`);
  label.lastElementChild.textContent = LABELS[state] ?? "";
  const bar = row.querySelector("progress");
  bar.hidden = ["done", "refused", "ready"].includes(state);
  bar.className = { failed: "failed", paused: "idle", missing: "idle", retrying: "idle" }[state] ?? "";
  for (const button of row.querySelectorAll("[data-act]")) button.hidden = !ACTS[state].includes(button.dataset.act);
  if (state === "done") link(row, upload);
}

/* Done: its name leads to the document, and what is said of it is changed on its page. */
function link(row, { outcome }) {
  const name = row.querySelector(".name");
  const anchor = Object.assign(document.createElement("a"), { href: outcome.href, dir: "auto" });
  anchor.append(...name.firstElementChild.childNodes);
  name.replaceChildren(anchor);
  row.querySelector("[data-act=edit]").href = `${outcome.href}/edit`;
}

function wordsOf(upload) {
  const { state, size, sent, reason } = upload;
  const part = sent ? `${partInWords(sent, size)} ${sent === size || size < 1000 ? "is" : "are"} here` : "";
  switch (state) {
    case "ready": return `${sizeInWords(size)}${foreseen(upload)}`;
    case "waiting": return `Waiting for a free place, ${sent ? partInWords(sent, size) : sizeInWords(size)}${foreseen(upload)}`;
    case "sending": return `${[sent ? partInWords(sent, size) : `Beginning, ${sizeInWords(size)}`, ...paceOf(upload)].join(", ")}${foreseen(upload)}`;
    case "checking": return "All bytes are here; checking them";
    case "retrying": return [part && `${part}.`, reason].filter(Boolean).join(" ");
    case "paused": return part || sizeInWords(size);
    case "missing": return `${part || sizeInWords(size)}. Choose it again, and it goes on.`;
    case "failed": return [reason, part && `${part}.`].filter(Boolean).join(" ");
    case "refused": return reason;
    default: return resultOf(upload);
  }
}

function foreseen({ known, target }) {
  return known === "version" && target.category ? "; a document of this name is there" : "";
}

function paceOf({ rate, size, sent }) {
  return rate ? [speedInWords(rate), timeInWords((size - sent) / rate)] : [];
}

function resultOf({ outcome, size, facts }) {
  if (outcome.kind === "same") return "The same bytes are already there; nothing had to be sent.";
  if (outcome.kind === "unchanged") return `The same bytes are already there, as version ${outcome.version}.`;
  const draft = facts.draft && outcome.kind === "added" ? ", a draft" : "";
  return `Version ${outcome.version}, ${sizeInWords(size)}${draft}`;
}

/* Names may be broken after these signs, and are never cut. */
function breakable(name) {
  return name.split(/(?<=[_\-@/])/u).flatMap((part, place) => (place ? [document.createElement("wbr"), part] : [part]));
}
