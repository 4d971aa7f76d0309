/* The list of uploads and what it adds up to. However much happens, it is drawn at most four times a second, and never more
   of it than somebody can look at. */

import { GROUPS } from "./queue.js";
import { Describing } from "./describing.js";
import { fillRow, makeRow } from "./rows.js";
import { counted, partInWords, sizeInWords, timeInWords } from "./words.js";

const PAUSE = 250;
const SHOWN = 50;
const WINDOW = 10_000;   // the speed of all is that of the last seconds
const SPOKEN = 15_000;
const TALLY = { all: Object.keys(GROUPS), moving: ["moving", "waiting", "ready"], paused: ["paused"], failed: ["failed"], done: ["done"] };

export class List {
  #section; #queue; #list; #rows = new Map(); #shown = []; #filter = "all"; #most = SHOWN;
  #isWanted = false; #drawn = 0; #samples = []; #spoken = 0; #failed = 0; #wasSending = false; #describing; #choose;

  /* `choose` asks for the file that an unfinished upload waits for. */
  constructor(section, queue, choose) {
    [this.#section, this.#queue, this.#choose] = [section, queue, choose];
    this.#list = section.querySelector(".uploads");
    this.#describing = new Describing(section, queue);
    queue.addEventListener("change", () => this.#want());
    this.#list.addEventListener("click", (event) => this.#onAct(event));
    for (const button of section.querySelectorAll("[data-filter]")) {
      button.addEventListener("click", () => { this.#filter = button.dataset.filter; this.#most = SHOWN; this.#draw(); });
    }
    this.#part("more").addEventListener("click", () => this.#showMore());
    this.#part("all").addEventListener("click", () => this.#onAll());
  }

  #part(name) {
    return this.#section.querySelector(`[data-${name}]`);
  }

  #want() {
    if (this.#isWanted) return;
    this.#isWanted = true;
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, this.#drawn + PAUSE - performance.now()));
  }

  #draw() {
    this.#isWanted = false;
    this.#drawn = performance.now();
    const groups = this.#queue.grouped();
    const wanted = TALLY[this.#filter].flatMap((group) => groups[group]);
    const all = wanted.length;
    this.#section.hidden = !this.#queue.uploads.length;
    this.#place(wanted.slice(0, this.#most));
    this.#describing.closeIfOver();
    this.#sum(groups);
    this.#part("pager").hidden = all <= this.#shown.length;
    this.#part("shown").textContent = `${this.#shown.length} of ${all.toLocaleString("en")}`;
    this.#part("more").textContent = `Show ${Math.min(SHOWN, all - this.#shown.length)} more`;
  }

  /* The rows in their order; one that has the focus keeps it, and one that goes hands it to its neighbour. */
  #place(shown) {
    const focused = document.activeElement;
    const held = this.#shown.findIndex((upload) => this.#rows.get(upload)?.contains(focused));
    const before = this.#shown;
    let at = this.#list.firstElementChild;
    for (const upload of shown) {
      const row = this.#rowOf(upload);
      fillRow(row, upload, this.#section.dataset.icons);
      if (row === at) at = at.nextElementSibling; else this.#list.insertBefore(row, at);
    }
    for (const upload of before) if (!shown.includes(upload)) this.#drop(upload);
    this.#shown = shown;
    if (held >= 0 && (document.activeElement !== focused || focused.hidden)) this.#keepFocus(focused, before[held], held);
  }

  #rowOf(upload) {
    if (!this.#rows.has(upload)) this.#rows.set(upload, makeRow(this.#part("row"), upload));
    return this.#rows.get(upload);
  }

  #drop(upload) {
    this.#rows.get(upload)?.remove();
    this.#rows.delete(upload);
  }

  #keepFocus(focused, upload, place) {
    if (focused.isConnected && !focused.hidden) {
      focused.focus({ preventScroll: true });
      return;
    }
    const row = this.#rows.get(upload) ?? this.#rows.get(this.#shown[Math.min(place, this.#shown.length - 1)]);
    const next = row?.querySelector(".name a, [data-act]:not([hidden])");
    (next ?? this.#part("all")).focus({ preventScroll: true });
  }

  #showMore() {
    const first = this.#shown.length;
    this.#most += SHOWN;
    this.#draw();
    this.#rows.get(this.#shown[first])?.querySelector(".name a, [data-act]:not([hidden])")?.focus();
  }

  /* How many, how much, how long: over the list, and by voice now and then. */
  #sum(groups) {
    const { uploads, notice } = this.#queue;
    const counts = Object.fromEntries(Object.entries(TALLY).map(([name, parts]) => [name, sizeOf(groups, parts)]));
    const [size, sent] = [total(uploads, "size"), total(uploads, "sent")];
    const left = this.#queue.isSending ? this.#timeLeft(size - sent, sent) : "";
    const said = groups.ready.length === uploads.length ? `${counted(counts.all, "document is", "documents are")} chosen.`
      : `${counts.done.toLocaleString("en")} of ${counts.all.toLocaleString("en")} ${[counts.done, counts.all].includes(1) ? "is" : "are"} done.`;
    this.#part("count").textContent = said;
    const amount = sent ? partInWords(sent, size) : sizeInWords(size);
    this.#part("amount").textContent = [amount, left].filter(Boolean).join(", ");
    const whole = this.#part("whole");
    whole.value = size ? sent / size : counts.done / Math.max(counts.all, 1);
    whole.hidden = groups.ready.length === uploads.length;
    this.#part("unfinished").hidden = counts.done === counts.all;
    this.#part("tally").hidden = counts.all < 2 || groups.ready.length === uploads.length;
    for (const button of this.#section.querySelectorAll("[data-filter]")) {
      button.firstElementChild.textContent = counts[button.dataset.filter].toLocaleString("en");
      button.setAttribute("aria-pressed", String(button.dataset.filter === this.#filter));
      button.classList.toggle("none", !counts[button.dataset.filter]);
    }
    this.#part("notice").hidden = !notice;
    this.#part("notice").firstElementChild.textContent = notice;
    this.#offerAll(groups);
    this.#speak(said, left, counts);
  }

  #timeLeft(left, sent) {
    const now = performance.now();
    this.#samples.push([now, sent]);
    while (now - this.#samples[0][0] > WINDOW) this.#samples.shift();
    const [then, before] = this.#samples[0];
    const rate = (sent - before) / (now - then) * 1000;
    return now - then > 1000 && rate > 0 ? timeInWords(left / rate) : "";
  }

  /* One button for all: what it does depends on how they are. */
  #offerAll(groups) {
    const button = this.#part("all");
    const isMoving = groups.moving.length + groups.waiting.length > 0;
    const verb = isMoving ? "pause" : groups.paused.some(({ file }) => file) ? "play" : groups.failed.length > 1 ? "retry" : "";
    button.hidden = !verb;
    if (button.dataset.all === verb) return;
    button.dataset.all = verb;
    button.querySelector("use").setAttribute("href", `${this.#section.dataset.icons}#${verb || "pause"}`);
    button.lastElementChild.textContent = { pause: "Pause all", play: "Go on with all", retry: "Try all again" }[verb] ?? "";
  }

  #onAll() {
    const { paused, failed } = this.#queue.grouped();
    const verb = this.#part("all").dataset.all;
    if (verb === "pause") this.#queue.pauseAll();
    else this.#queue.goOn(...(verb === "play" ? paused.filter(({ file }) => file) : failed));
  }

  /* When it begins, when something fails, when it ends; between them four times a minute at most. */
  #speak(said, left, { failed }) {
    const isSending = this.#queue.isSending;
    const now = performance.now();
    const isNews = isSending !== this.#wasSending || failed > this.#failed;
    if (isNews || (isSending && now - this.#spoken > SPOKEN)) {
      const trouble = failed ? `${counted(failed, "upload", "uploads")} did not get through.` : "";
      this.#part("voice").textContent = [said, trouble, left].filter(Boolean).join(" ");
      this.#spoken = now;
    }
    [this.#wasSending, this.#failed] = [isSending, failed];
  }

  #onAct(event) {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    const row = button.closest("li");
    const upload = this.#shown.find((one) => this.#rows.get(one) === row);
    const { act } = button.dataset;
    if (act === "pause") this.#queue.pause(upload);
    else if (act === "cancel") this.#queue.cancel(upload);
    else if (act === "more") this.#describing.toggle(row, upload, button);
    else if (upload.file) this.#queue.goOn(upload);
    else this.#choose(upload);
    this.#draw();
  }
}

function sizeOf(groups, names) {
  return names.reduce((sum, name) => sum + groups[name].length, 0);
}

function total(uploads, field) {
  return uploads.reduce((sum, one) => sum + (one.state === "refused" ? 0 : one[field]), 0);
}
