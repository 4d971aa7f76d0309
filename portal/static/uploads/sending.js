/* One upload, from its first byte to its document: begun, or gone on with where it stopped. */

import * as tus from "./tus.js";
import { forget, remember } from "./memory.js";

const SMALL = 1024 * 1024;   // comes with the request that begins it
const LEAST = 512 * 1024;
const MOST = 8 * 1024 * 1024;
const SECONDS = 4;   // what one request should take: a cut line costs no more
const GARBLED = 460;
const TRIES = 3;
export const UNREADABLE = "The browser cannot read it any more: it was changed, moved or removed. Choose it again.";

/* A file that went away under our hands. */
export class Unreadable extends Error {
  constructor() {
    super(UNREADABLE);
  }
}

export class Upload {
  state = "ready";
  uuid = null;
  offset = 0;   // bytes the portal has
  sent = 0;   // and those that are on their way
  rate = 0;   // bytes in a second
  tries = 0;
  reason = "";
  outcome = null;
  known = "";
  sha256 = null;
  isBegun = false;   // the portal may know it, though we have no name for it yet
  isChecked = false;
  chunk = SMALL;

  constructor(file, folder, target, facts) {
    Object.assign(this, { file, folder, target, facts, filename: file.name, size: file.size });
  }
}

/* Send it to its end. `tell` is called whenever something has changed; `uuids` are those that others have. */
export async function send(upload, signal, tell, uuids) {
  if (upload.uuid) await goOn(upload, signal);
  else if (upload.isBegun) await adopt(upload, uuids);
  if (!upload.uuid) await begin(upload, signal, tell);
  while (!upload.outcome) await sendNext(upload, signal, tell);
  forget(upload);
}

/* What the portal keeps of an upload whose name never reached us, if it keeps anything. */
export async function findOrphan(upload, uuids) {
  const isIt = (one) => one.state === "receiving" && !uuids.has(one.uuid) && isSameFile(one, upload);
  return (await tus.list()).find((one) => isIt(one) && sameTarget(one.target, upload.target));
}

export function isSameFile(one, { filename, folder, size }) {
  return one.size === size && one.filename === filename.normalize() && one.folder === folder.normalize();
}

export function sameTarget(listed, target) {
  return (listed.path ?? listed.ref) === target[listed.kind];
}

/* In bytes of one request, with their checksum where the browser can make one. */
async function bytesOf(upload, start, end) {
  let content;
  try {
    content = await upload.file.slice(start, end).arrayBuffer();
  } catch {
    throw new Unreadable();
  }
  const whole = start === 0 && end >= upload.size;
  const sum = whole && upload.sha256 ? upload.sha256 : await hashed(content);
  return { content, checksum: sum ? { "Upload-Checksum": `sha256 ${tus.base64Of(sum)}` } : {} };
}

export async function hashed(content) {
  return globalThis.crypto?.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", content)) : null;
}

async function goOn(upload, signal) {
  try {
    take(upload, await tus.look(upload.uuid, signal));
  } catch (problem) {
    if (![404, 410].includes(problem.status)) throw problem;
    forget(upload);
    Object.assign(upload, { uuid: null, offset: 0, sent: 0 });   // it waited too long: from its beginning
  }
}

async function adopt(upload, uuids) {
  const found = await findOrphan(upload, uuids);
  if (found) Object.assign(upload, { uuid: found.uuid, offset: found.received });
}

async function begin(upload, signal, tell) {
  const { facts } = upload;
  const bytes = upload.size && upload.size <= SMALL ? await bytesOf(upload, 0, upload.size) : null;
  upload.isBegun = true;
  const { uuid, ...progress } = await tus.start(upload, bytes, signal, onWay(upload, tell));
  upload.uuid = uuid;
  take(upload, progress);
  if (upload.outcome) return;
  remember(upload);
  if (upload.facts !== facts) await tus.describe(uuid, upload.facts);
}

async function sendNext(upload, signal, tell) {
  const { offset } = upload;
  const bytes = await bytesOf(upload, offset, offset + upload.chunk);
  const began = performance.now();
  try {
    take(upload, await tus.append(upload.uuid, offset, bytes, signal, onWay(upload, tell)));
  } catch (problem) {
    await mend(upload, problem, signal);
    return;
  }
  const rate = bytes.content.byteLength / Math.max(performance.now() - began, 1) * 1000;
  upload.chunk = Math.min(Math.max(rate * SECONDS, LEAST), MOST);
  upload.tries = 0;
  tell();
}

/* Bytes that arrived garbled are sent again; bytes at the wrong place are sent from where the portal is. */
async function mend(upload, problem, signal) {
  if (problem.status === GARBLED && (upload.tries += 1) < TRIES) return;
  if (problem.status !== 409) throw problem;
  const now = await tus.look(upload.uuid, signal).catch(() => { throw problem; });
  if (now.offset === upload.offset && !now.outcome) throw problem;
  take(upload, now);
}

function take(upload, { offset, outcome }) {
  Object.assign(upload, { offset, sent: offset, outcome });
}

/* The speed of the last moments counts more than that of before. */
function onWay(upload, tell) {
  let [before, then] = [0, performance.now()];
  return (loaded) => {
    const now = performance.now();
    const rate = (loaded - before) / Math.max(now - then, 1) * 1000;
    if (now - then > 200) {
      upload.rate = upload.rate ? upload.rate * 0.7 + rate * 0.3 : rate;
      [before, then] = [loaded, now];
    }
    upload.sent = Math.min(upload.offset + loaded, upload.size);
    tell();
  };
}
