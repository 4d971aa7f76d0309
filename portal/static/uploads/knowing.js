/* What is there already need not be sent: before small files have their turn, the portal is asked by name and hash. */

import * as tus from "./tus.js";
import { hashed } from "./sending.js";

const LARGEST = 64 * 1024 * 1024;   // read whole, for browsers hash nothing in pieces
const TOGETHER = 256 * 1024 * 1024;
const MOST = 200;
const FIRST = 6;   // so that those who send are not kept waiting

export const canKnow = Boolean(globalThis.crypto?.subtle);

/* Look at uploads in groups, and say after each that they were looked at. Without an answer they are simply sent. */
export async function lookAt(uploads, tell) {
  let most = FIRST;
  for (let left = uploads; left.length; most = MOST) {
    const some = firstOf(left, most);
    left = left.slice(some.length);
    const small = some.filter((one) => one.size <= LARGEST);
    for (const one of small) one.sha256 = await hashOf(one.file);
    await askAbout(small.filter((one) => one.sha256)).catch(() => {});
    for (const one of some) one.isChecked = true;
    tell();
  }
}

/* The next ones that go to the same place. */
function firstOf(uploads, most) {
  const target = JSON.stringify(uploads[0].target);
  let bytes = 0;
  const isOne = (one, place) => {
    bytes += one.size <= LARGEST ? one.size : 0;
    return place < most && (place === 0 || bytes <= TOGETHER) && JSON.stringify(one.target) === target;
  };
  const end = uploads.findIndex((one, place) => !isOne(one, place));
  return end < 0 ? uploads : uploads.slice(0, end);
}

async function hashOf(file) {
  try {
    return await hashed(await file.arrayBuffer());
  } catch {
    return null;   // whoever sends it will say so
  }
}

async function askAbout(uploads) {
  if (!uploads.length) return;
  const files = uploads.map(({ filename, folder, sha256 }) => ({ filename, folder, sha256: tus.hexOf(sha256) }));
  const answer = await tus.known(uploads[0].target, files);
  for (const [place, upload] of uploads.entries()) {
    upload.known = answer.files[place];
    const document = answer.documents[place];
    if (upload.known === "same") upload.outcome = { kind: "same", href: `/documents/${document}` };
  }
}
