/* What was dropped or chosen, as files with the folders they are in. Whole folders come as a tree that is walked; names that
   begin with a dot are left out, as an import leaves them out. */

/* Of a drop: entries of a file system, or files where a browser gives no entries. */
export async function filesOf(entries) {
  const found = { files: [], hidden: 0, unread: 0 };
  for (const entry of entries) {
    if (entry instanceof File) found.files.push({ file: entry, folder: "" });
    else await walk(entry, "", found);
  }
  return found;
}

/* Of a field; one for folders says of each file where in the folder it was. */
export function filesIn(input) {
  const found = { files: [], hidden: 0, unread: 0 };
  for (const file of input.files) {
    const names = (file.webkitRelativePath || file.name).split("/");
    if (file.webkitRelativePath && names.some((name) => name.startsWith("."))) found.hidden += 1;
    else found.files.push({ file, folder: names.slice(0, -1).join("/") });
  }
  return found;
}

async function walk(entry, folder, found) {
  if (entry.name.startsWith(".")) {
    found.hidden += 1;
    return;
  }
  try {
    if (entry.isFile) {
      found.files.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), folder });
    } else {
      const below = folder ? `${folder}/${entry.name}` : entry.name;
      for (const child of await childrenOf(entry.createReader())) await walk(child, below, found);
    }
  } catch {
    found.unread += 1;   // it went away, or is nobody's to read
  }
}

/* A reader gives a hundred at a time, and nothing at the end. */
async function childrenOf(reader) {
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return children;
    children.push(...some);
  }
}
