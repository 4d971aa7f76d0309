/* Which upload a file belongs to, beyond the life of this page: so that the same file, chosen again, goes on where it was. */

const PREFIX = "upload:";

/* A file that was changed meanwhile is another one, though its name and size may be the same. */
export function fingerprintOf({ file, filename, folder, target }) {
  return JSON.stringify([target, folder, filename, file.size, file.lastModified]);
}

export function remember(upload) {
  store((kept) => kept.setItem(`${PREFIX}${fingerprintOf(upload)}`, JSON.stringify([upload.uuid, upload.facts])));
}

export function forget(upload) {
  store((kept) => {
    for (const key of keysOf(kept)) if (valueOf(kept, key)[0] === upload.uuid) kept.removeItem(key);
  });
}

/* By uuid: the fingerprint of its file, and what was said of it. What the portal knows no more is forgotten. */
export function remembered(uuids) {
  const found = new Map();
  store((kept) => {
    for (const key of keysOf(kept)) {
      const [uuid, facts] = valueOf(kept, key);
      if (uuids.has(uuid)) found.set(uuid, { fingerprint: key.slice(PREFIX.length), facts });
      else kept.removeItem(key);
    }
  });
  return found;
}

function keysOf(kept) {
  return Object.keys(kept).filter((key) => key.startsWith(PREFIX));
}

function valueOf(kept, key) {
  try {
    return JSON.parse(kept.getItem(key));
  } catch {
    return [];
  }
}

function store(work) {
  try {
    work(localStorage);
  } catch { /* switched off or full: then a page that is closed is all that is lost */ }
}
