/* What is said of a document while its bytes are on their way: a small form below its row, one at a time. */

const SAVED = "Saved.";
const FACTS = ["title", "reference", "tags", "draft", "published_at", "expires_at", "on_conflict", "note"];

export class Describing {
  #section; #queue; #form = null; #opener = null;

  constructor(section, queue) {
    [this.#section, this.#queue] = [section, queue];
  }

  toggle(row, upload, opener) {
    const isSame = this.#opener === opener;
    this.#close();
    if (!isSame) this.#open(row, upload, opener);
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
    [this.#form, this.#opener] = [form, opener];
    form.querySelector("input, textarea").focus();
  }

  async #save(form, upload) {
    const place = form.querySelector("[data-wrong]");
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
    [this.#form, this.#opener] = [null, null];
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
