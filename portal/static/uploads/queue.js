/* Uploads in a line: three are sent at once, and whatever happens to one leaves the others alone. */

import { fingerprintOf, forget, remembered } from "./memory.js";
import { canKnow, lookAt } from "./knowing.js";
import { Unreadable, Upload, findOrphan, isSameFile, sameTarget, send } from "./sending.js";
import * as tus from "./tus.js";

const AT_ONCE = 3;
const TRIES = 8;   // of a lost line; with the pauses between them about two minutes
const LONGEST_PAUSE = 30_000;
const SIGNED_OUT = 401;
const FULL = 507;
const LOST = "The line broke. Nothing is lost; it goes on where it stopped.";

/* What a row is in the order of the list; each state belongs to one of these. */
export const GROUPS = {
  failed: ["failed", "refused"],
  moving: ["sending", "checking", "retrying"],
  paused: ["paused", "missing"],
  waiting: ["waiting"],
  ready: ["ready"],
  done: ["done"],
};
const GROUP_OF = new Map(Object.entries(GROUPS).flatMap(([group, states]) => states.map((state) => [state, group])));

export class Queue extends EventTarget {
  uploads = [];
  notice = "";
  #running = new Map();   // upload to what stops it
  #isLooking = false;
  #isPaused = false;
  #mustRenew = false;

  constructor() {
    super();
    addEventListener("online", () => this.retryLost());
  }

  /* By group, in the order they came. */
  grouped() {
    const found = Object.fromEntries(Object.keys(GROUPS).map((group) => [group, []]));
    for (const upload of this.uploads) found[GROUP_OF.get(upload.state)].push(upload);
    return found;
  }

  get isSending() {
    return this.uploads.some(({ state }) => ["sending", "checking", "retrying", "waiting"].includes(state));
  }

  /* Unfinished uploads of before, which wait for their files. */
  async recall() {
    const left = (await tus.list()).filter((one) => one.state === "receiving" && one.target.kind !== "distribution");
    const kept = remembered(new Set(left.map((one) => one.uuid)));
    for (const one of left) this.uploads.push(recalled(one, kept.get(one.uuid)));
    if (left.length) this.#tell();
  }

  /* Files as they were chosen: those an unfinished upload waits for go on, the others are ready to begin. */
  add(files, target, facts) {
    const there = new Set(this.uploads.filter((one) => one.file).map(fingerprintOf));
    for (const { file, folder } of files) {
      const upload = new Upload(file, folder, target, facts);
      if (there.has(fingerprintOf(upload))) continue;
      if (!this.#goesOn(upload)) this.uploads.push(upload);
    }
    this.#tell();
  }

  /* Whether an unfinished upload waits for this file, and goes on with it. */
  #goesOn(upload) {
    const waiting = this.uploads.find((one) => one.state === "missing" && isWaitingFor(one, upload));
    return waiting !== undefined && this.resume(waiting, upload.file);
  }

  /* Go on with the file that an upload waited for; false when it is another one. */
  resume(upload, file) {
    if (file.size !== upload.size || file.name.normalize() !== upload.filename.normalize()) return false;
    Object.assign(upload, { file, state: "waiting", isChecked: true });
    this.#pump();
    return true;
  }

  /* Begin with all that is ready; `facts` are what is said of each by then, unless more was said of one. */
  start(target, facts) {
    this.#isPaused = false;
    for (const upload of this.uploads.filter(({ state }) => state === "ready")) {
      upload.target = target ?? upload.target;   // chosen after the files, it may be where an unfinished one goes
      if (this.#goesOn(upload)) this.uploads = this.uploads.filter((one) => one !== upload);
      else Object.assign(upload, { facts: { ...facts, ...upload.facts }, state: "waiting" });
    }
    this.#pump();
  }

  pause(upload) {
    upload.state = "paused";
    upload.reason = "";
    this.#stop(upload);
    this.#pump();
  }

  pauseAll(notice = "") {
    this.#isPaused = true;
    this.notice = notice;
    for (const upload of this.uploads) {
      if (["sending", "checking", "retrying", "waiting"].includes(upload.state)) this.pause(upload);
    }
    this.#tell();
  }

  async goOn(...uploads) {
    for (const upload of uploads) revive(upload);
    this.#isPaused = false;
    this.notice = "";
    if (this.#mustRenew) this.#mustRenew = !await tus.renewToken();
    this.#pump();
  }

  retryLost() {
    for (const upload of this.uploads) if (upload.isLost && upload.state !== "paused") revive(upload);
    this.#pump();
  }

  /* Give one up; what came of it goes, here and there. */
  async cancel(upload) {
    const isOver = ["done", "refused"].includes(upload.state);
    this.uploads = this.uploads.filter((one) => one !== upload);
    this.#stop(upload);
    this.#pump();
    if (isOver) return;
    forget(upload);
    try {
      const uuid = upload.uuid ?? (upload.isBegun ? (await findOrphan(upload, this.#uuids()))?.uuid : null);
      if (uuid) await tus.cancel(uuid);
    } catch { /* what nobody goes on with is removed by the portal itself */ }
  }

  /* Say something else of one: at once when the portal knows it, otherwise when it begins. */
  async describe(upload, facts) {
    if (upload.uuid) await tus.describe(upload.uuid, facts);
    upload.facts = facts;
    this.#tell();
  }

  #uuids() {
    return new Set(this.uploads.map((one) => one.uuid));
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  #stop(upload) {
    this.#running.get(upload)?.abort();
    this.#running.delete(upload);
    clearTimeout(upload.timer);
  }

  #pump() {
    this.#look();
    while (this.#running.size < AT_ONCE && !this.#isPaused) {
      const next = this.uploads.find((one) => one.state === "waiting" && (one.isChecked || !canKnow));
      if (!next) break;
      this.#run(next);
    }
    this.#tell();
  }

  async #look() {
    if (this.#isLooking || !canKnow) return;
    const unknown = this.uploads.filter((one) => one.state === "waiting" && !one.isChecked);
    if (!unknown.length) return;
    this.#isLooking = true;
    await lookAt(unknown, () => this.#pump());
    this.#isLooking = false;
    this.#pump();
  }

  async #run(upload) {
    const stop = new AbortController();
    this.#running.set(upload, stop);
    upload.state = "sending";
    try {
      if (!upload.outcome) await send(upload, stop.signal, () => this.#follow(upload), this.#uuids());
      Object.assign(upload, { state: "done", offset: upload.size, sent: upload.size, file: null });
    } catch (problem) {
      if (stop.signal.aborted) return;   // whoever stopped it said what it is now
      this.#fail(upload, problem);
    }
    this.#running.delete(upload);
    this.#pump();
  }

  #follow(upload) {
    if (["sending", "checking"].includes(upload.state)) upload.state = upload.sent < upload.size ? "sending" : "checking";
    this.#tell();
  }

  #fail(upload, problem) {
    upload.sent = upload.offset;
    upload.rate = 0;
    if (problem instanceof tus.Lost) this.#wait(upload, problem);
    else if (problem.status === SIGNED_OUT) this.#signedOut(upload, problem);
    else {
      const isOurs = problem instanceof Unreadable || problem instanceof tus.Refusal;
      const passes = problem.status === FULL || !isOurs;
      if (!isOurs) console.error(problem);
      Object.assign(upload, { state: passes ? "failed" : "refused", reason: isOurs ? problem.message : LOST });
      if (!passes) Object.assign(upload, { uuid: null, offset: 0, sent: 0, isBegun: false, known: "" });
    }
  }

  /* A little later, and later each time; without a network, once there is one. */
  #wait(upload, problem) {
    upload.tries += 1;
    upload.isLost = true;
    if (navigator.onLine && upload.tries >= TRIES) {
      Object.assign(upload, { state: "failed", reason: problem.message || LOST });
      return;
    }
    Object.assign(upload, { state: "retrying", reason: problem.message || LOST });
    if (!navigator.onLine) return;
    const pause = Math.min(2 ** upload.tries * 500, LONGEST_PAUSE) * (0.75 + Math.random() / 2);
    upload.timer = setTimeout(() => {
      Object.assign(upload, { state: "waiting", isLost: false });
      this.#pump();
    }, pause);
  }

  #signedOut(upload, problem) {
    upload.state = "paused";
    this.#mustRenew = true;
    this.pauseAll(problem.message);
  }
}

function revive(upload) {
  clearTimeout(upload.timer);
  Object.assign(upload, { state: "waiting", reason: "", tries: 0, isLost: false });
}

/* An unfinished upload of before, as the portal lists it. */
function recalled(listed, kept) {
  const { uuid, filename, folder, size, received, target } = listed;
  const upload = new Upload({ name: filename, size }, folder, { [target.kind]: target.path ?? target.ref }, kept?.facts ?? {});
  const place = { listed: target, fingerprint: kept?.fingerprint };
  return Object.assign(upload, place, { file: null, uuid, offset: received, sent: received, isBegun: true, state: "missing" });
}

/* The same file to the same place. If this browser sent it before, it must not have been changed since. */
function isWaitingFor(one, upload) {
  if (one.fingerprint) return one.fingerprint === fingerprintOf(upload);
  const isPlace = Object.values(upload.target).every((name) => !name) || sameTarget(one.listed, upload.target);
  return isPlace && isSameFile(one, upload);
}
