/* What is said of a document while its bytes are on their way: a small form below its row, one at a time. */

const SAVED = "Saved.";
const IN_ALREADY = "It is in by now, and this was not saved. The three dots of its row lead to where you say it.";
const FACTS = ["title", "reference", "tags", "draft", "published_at", "expires_at", "on_conflict", "note"];

export class Describing {
  #section; #queue; #form = null; #opener = null; #upload = null; #said = "";

  constructor(section, queue) {
    [this.#section, this.#queue] = [section, queue];
  }

  toggle(row, upload, opener) {
    const isSame = this.#opener === opener;
    this.#close();
    if (!isSame) this.#open(row, upload, opener);
  }

  /* Once it is in, its own page is the place to say something; what somebody has begun to write is left to them. */
  closeIfOver() {
    if (this.#upload?.state !== "done" || JSON.stringify(saidIn(this.#form)) !== this.#said) return;
    const row = this.#form.parentElement;
    const hasFocus = this.#form.contains(document.activeElement);
    this.#close();
    if (hasFocus) row.querySelector(".name a").focus({ preventScroll: true });
  }

  #open(row, upload, opener) {
    const form = this.#section.querySelector("[data-facts]").content.firstElementChild.cloneNode(true);
    const kind = upload.target.document ? "document" : "category";
    for (const field of form.querySelectorAll("[data-for]")) if (field.dataset.for !== kind) field.remove();
    for (const [name, value] of Object.entries(upload.facts)) {
      const field = form.elements[name];
      if (field?.type === "checkbox") field.checked = value === "1";
      else if (field) field.value = value;
    }
    form.setAttribute("aria-label", upload.filename);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#save(form, upload); });
    form.querySelector("[data-close]").addEventListener("click", () => this.#leave());
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") this.#leave(); });
    row.append(form);
    opener.setAttribute("aria-expanded", "true");
    [this.#form, this.#opener, this.#upload, this.#said] = [form, opener, upload, JSON.stringify(saidIn(form))];
    form.querySelector("input, textarea").focus();
  }

  async #save(form, upload) {
    const place = form.querySelector("[data-wrong]");
    if (upload.state === "done") {
      place.textContent = IN_ALREADY;
      return;
    }
    try {
      await this.#queue.describe(upload, { ...upload.facts, ...saidIn(form) });
    } catch (problem) {
      place.textContent = problem.message || "The portal did not answer. Try again in a moment.";
      return;
    }
    this.#section.querySelector("[data-voice]").textContent = SAVED;
    this.#leave();
  }

  #leave() {
    const opener = this.#opener;
    this.#close();
    opener?.focus();
  }

  #close() {
    this.#form?.remove();
    this.#opener?.setAttribute("aria-expanded", "false");
    [this.#form, this.#opener, this.#upload] = [null, null, null];
  }
}

/* What a form says, as the portal takes it. */
export function saidIn(form) {
  const said = {};
  for (const name of FACTS) {
    const field = form.elements[name];
    if (field) said[name] = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim();
  }
  return said;
}
