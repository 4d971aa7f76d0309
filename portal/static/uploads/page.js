/* Documents on their way in: on the page for it, and wherever some are dropped on a category or a document. */

import { addStyle, readPage, say } from "../portal.js";
import { saidIn } from "./describing.js";
import { filesIn, filesOf } from "./folders.js";
import { List } from "./list.js";
import { Queue } from "./queue.js";
import { counted, sizeInWords } from "./words.js";

const NOTHING = "Choose documents, or drop them on this page.";
const ONE_TITLE = "A title is for one document. Choose one, or leave the title empty.";
const ONE_REFERENCE = "A reference is for one document. Choose one, or leave it empty.";
const ONE_VERSION = "A document gets one new version. Drop one file.";
const OTHER_FILE = "This is another file: its name or its size is not the same.";
const UNANSWERED = "The portal did not answer. Load this page again, and drop them once more.";

/* What every place has: a line of uploads, the list of them, and one button that begins. */
class Panel {
  queue = new Queue();
  #picker = Object.assign(document.createElement("input"), { type: "file" });
  #wanted = null;

  constructor(section, target) {
    [this.section, this.target] = [section, target];
    this.list = new List(section, this.queue, (upload) => this.#choose(upload));
    this.#picker.addEventListener("change", () => this.#chosen());
    this.queue.addEventListener("change", () => this.onChange());
    addEventListener("beforeunload", (event) => { if (this.queue.isSending) event.preventDefault(); });
  }

  get ready() {
    return this.queue.uploads.filter(({ state }) => state === "ready");
  }

  /* What was chosen or dropped, folders and all; what was left out of it is said. */
  add({ files, hidden, unread }) {
    this.queue.add(files, this.target(), {});
    const left = [
      hidden && `${counted(hidden, "hidden file or folder was", "hidden files or folders were")} left out.`,
      unread && `${counted(unread, "file", "files")} could not be read.`,
    ].filter(Boolean).join(" ");
    if (left || !files.length) say(left || "There are no files in this folder.");
  }

  /* The file that an unfinished upload waits for. */
  #choose(upload) {
    this.#wanted = upload;
    this.#picker.value = "";
    this.#picker.click();
  }

  #chosen() {
    if (this.#picker.files.length && !this.queue.resume(this.#wanted, this.#picker.files[0])) say(OTHER_FILE);
  }

  /* Once all is over, a way to what became of it. */
  see(href, words) {
    const { done, ready } = this.queue.grouped();
    const link = this.section.querySelector("[data-see]");
    link.hidden = this.queue.isSending || !done.length || ready.length > 0;
    [link.href, link.textContent] = [href, words];
  }
}

/* The upload page: a form that says where they go and what is said of each. */
class Form extends Panel {
  #form;

  constructor(form) {
    super(document.getElementById("uploads"), () => ({ category: form.elements.category.value }));
    this.#form = form;
    const [files, folder] = [form.elements.files, form.querySelector("[data-folder]")];
    for (const part of document.querySelectorAll("[data-plain]")) part.hidden = true;
    for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
    for (const input of [files, folder]) input.addEventListener("change", () => this.#take(input));
    form.querySelector("[data-choose-folder]").addEventListener("click", () => folder.click());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#start(); });
    form.addEventListener("input", (event) => event.target.setCustomValidity?.(""));
    files.required = false;
    files.classList.add("bare");   // the list says what was chosen
    if (files.files.length) this.#take(files);   // chosen before this ran, or kept by going back
    this.queue.recall().catch(() => {});   // then nothing of before is shown, and all else works
  }

  #take(input) {
    input.setCustomValidity("");
    if (input.files.length) this.add(filesIn(input));
    input.value = "";   // so that the same can be chosen again
  }

  #start() {
    const { files, title, reference } = this.#form.elements;
    const { ready } = this;
    if (!ready.length) refuse(files, NOTHING);
    else if (ready.length > 1 && title.value.trim()) refuse(title, ONE_TITLE);
    else if (ready.length > 1 && reference.value.trim()) refuse(reference, ONE_REFERENCE);
    else {
      this.queue.start(this.target(), saidIn(this.#form));
      title.value = reference.value = "";
    }
  }

  onChange() {
    const { ready } = this;
    const button = this.#form.querySelector("[data-start]");
    const size = ready.reduce((sum, one) => sum + one.size, 0);
    const words = ready.length ? `Upload ${counted(ready.length, "document", "documents")}` : "Upload";
    if (button.dataset.words === words + size) return this.#see();
    button.dataset.words = words + size;
    button.replaceChildren(words, ...(ready.length ? [" ", small(sizeInWords(size))] : []));
    this.#see();
  }

  #see() {
    const path = this.target().category.split("/").map(encodeURIComponent).join("/");
    this.see(`/categories/${path}`, "See the category");
  }
}

/* A category or a document that documents were dropped on. */
class Place extends Panel {
  #start;

  constructor(section, place) {
    const { category, document: document_, version } = place.dataset;
    super(section, () => (document_ ? { document: document_ } : { category }));
    this.version = version;
    this.#start = section.querySelector("[data-start]");
    this.#start.addEventListener("click", () => this.queue.start(null, {}));
  }

  add(found) {
    if (this.version && found.files.length + this.ready.length > 1) say(ONE_VERSION);
    else super.add(found);
  }

  onChange() {
    const { ready } = this;
    const size = sizeInWords(ready.reduce((sum, one) => sum + one.size, 0));
    const words = this.version ? `Add it as version ${this.version}` : `Upload ${counted(ready.length, "document", "documents")}`;
    this.#start.hidden = !ready.length;
    this.#start.replaceChildren(words, " ", small(size));
    this.see(location.pathname, this.version ? "See the document as it is now" : "See the category as it is now");
  }

  focus() {
    this.section.hidden = false;
    this.#start.focus();
  }
}

function small(words) {
  return Object.assign(document.createElement("small"), { textContent: words });
}

function refuse(field, sentence) {
  const fold = field.closest("details");
  if (fold) fold.open = true;
  field.setCustomValidity(sentence);
  field.reportValidity();
}

/* The part of the upload page that lists them: its markup is written once, and by the portal. */
async function open(place) {
  const { page } = await readPage("/admin/upload");
  const found = page?.getElementById("uploads");
  if (!found) throw new Error(UNANSWERED);
  const section = document.adoptNode(found);
  await addStyle(page.querySelector('link[href*="/staff.css"]').href);
  const main = document.querySelector("main");
  const before = main.querySelector(":scope > .head") ?? main.querySelector(":scope > nav");
  if (before) before.after(section); else main.prepend(section);
  return new Place(section, place);
}

const form = document.querySelector("form[data-uploads]");
let panel = form ? Promise.resolve(new Form(form)) : null;

/* What was dropped on a page, from the place on it that takes documents. */
export async function take(place, entries) {
  const reading = filesOf(entries);   // before anything else is awaited: entries live no longer than their drop
  try {
    panel ??= open(place);
    const opened = await panel;
    opened.add(await reading);
    opened.focus?.();
  } catch (problem) {
    panel = null;
    say(problem.message);
  }
}
