/* What a page can do beyond plain HTML: nothing here is needed, so every control it brings is hidden until it runs. */

const root = document.documentElement;
const night = matchMedia("(prefers-color-scheme: dark)");

/* Kept colours come first: this file blocks rendering, so that a page never turns from light to dark before one's eyes. */
function keptTheme() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;   // storage may be switched off
  }
}

function keepTheme(theme) {
  root.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch { /* then it holds for this page */ }
}

if (["light", "dark"].includes(keptTheme())) root.dataset.theme = keptTheme();

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : night.matches;
}

function offerTheme(button) {
  const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
  button.addEventListener("click", () => { keepTheme(isDark() ? "light" : "dark"); name(); });
  night.addEventListener("change", name);
  name();
  button.hidden = false;
}

/* One polite voice for what happened. It is there before it speaks, or nobody would hear it. */
const voice = document.createElement("div");
voice.setAttribute("role", "status");

export function say(sentence) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.append(Object.assign(document.createElement("p"), { textContent: sentence }));
  voice.replaceChildren(toast);
  const leave = () => { if (toast.matches(":hover")) setTimeout(leave, 1000); else toast.remove(); };
  setTimeout(leave, 8000);
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
  } catch {
    say("The browser does not let us copy. Mark the text and copy it yourself.");
  }
}

function offerCopy(button) {
  if (!navigator.clipboard) return;   // plain http on another machine
  button.addEventListener("click", () => copy(button));
  button.hidden = false;
}

function offerToShow(button) {
  const input = document.getElementById(button.dataset.shows);
  button.addEventListener("click", () => {
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!isShown));
  });
  input.form?.addEventListener("submit", () => { input.type = "password"; });
  button.hidden = false;
}

const units = ["bytes", "KB", "MB", "GB", "TB"];

/* As portal/sizes.py says it: a decimal only below ten, and only from MB on. */
export function sizeInWords(bytes) {
  if (bytes === 1) return "1 byte";
  let unit = 0;
  while (bytes >= (unit ? 999.5 : 1000) && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return `${bytes.toFixed(unit > 1 && bytes < 9.95 ? 1 : 0)} ${units[unit]}`;
}

/* The bar over a list of documents with boxes: how many are chosen, how large they are together, all or none, and what to
   do with them. */
function countSelection(form) {
  const boxes = [...form.querySelectorAll('[name="document"]')];
  const [all, verb, buttons] = [form.querySelector("[data-all]"), form.querySelector("[data-verb]"), form.querySelectorAll(".bar button")];
  const count = () => {
    const chosen = boxes.filter((box) => box.checked);
    const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.size), 0);
    form.querySelector("[data-count]").textContent = chosen.length ? `${chosen.length} selected` : "None selected";
    form.querySelector("[data-hint]").textContent = chosen.length ? sizeInWords(bytes) : "";
    if (verb) verb.textContent = chosen.length ? `Download ${chosen.length} as zip` : "Download as zip";
    for (const button of buttons) button.disabled = !chosen.length;
    buttons[0].classList.toggle("primary", chosen.length > 0);
    all.checked = chosen.length === boxes.length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  };
  all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; count(); });
  form.addEventListener("change", count);
  addEventListener("pageshow", count);   // going back keeps the boxes as they were
  all.closest("label").hidden = false;
  count();
}

/* A field for several words with commas between: its list completes the one after the last comma. */
function completeEach(input) {
  const options = [...input.list.options];
  const words = options.map((option) => option.value);
  input.addEventListener("input", () => {
    const before = input.value.slice(0, input.value.lastIndexOf(",") + 1);
    options.forEach((option, place) => { option.value = before ? `${before} ${words[place]}` : words[place]; });
  });
}

/* A browser says “5 files”: each by its name, its size beside it. */
function listFiles(input) {
  const list = document.getElementById(input.dataset.lists);
  const show = () => {
    list.replaceChildren(...[...input.files].map(fileLine));
    list.hidden = !input.files.length;
  };
  input.addEventListener("change", show);
  addEventListener("pageshow", show);   // going back keeps what was chosen
}

function fileLine(file) {
  const line = document.createElement("li");
  const name = Object.assign(document.createElement("span"), { className: "who", dir: "auto", textContent: file.name });
  const size = Object.assign(document.createElement("span"), { className: "muted small", textContent: sizeInWords(file.size) });
  line.append(name, size);
  return line;
}

/* Documents dropped on a page that takes some. What sends them is fetched with the first drop. */
const HOVERING = 500;

function awaitDrops(place) {
  const main = document.querySelector("main");
  const show = (isOver) => { main.style.outline = isOver ? "2px dashed var(--accent)" : ""; };
  let leaving;
  const isOurs = (event) => {
    const field = event.target.closest?.('[type="file"]');   // another one, such as that for copies, takes its own
    return event.dataTransfer.types.includes("Files") && (!field || place.contains(field));
  };
  document.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    show(true);
    clearTimeout(leaving);
    leaving = setTimeout(show, HOVERING, false);
  });
  document.addEventListener("drop", async (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    show(false);
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
    (await import(place.dataset.drops)).take(place, entries);
  });
}

/* A download leaves the page as it is: what was wrong with the try before must not stand there while the document comes. */
function forgetProblem(form) {
  form.addEventListener("submit", () => {
    for (const notice of form.querySelectorAll(".notice.stop, .wrong")) notice.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  });
}

/* A download leaves the page, and what it says of the person's own downloads is of before. It is asked for again once, soon
   after the click, and whenever somebody comes back to the page; only the parts that may have changed are put in. */
const SOON = 4000;

/* By the one way that makes no markup from text here: the browser reads the answer as a page by itself. Without an answer
   there is no page. */
export function readPage(address) {
  return new Promise((resolve) => {
    const asked = new XMLHttpRequest();
    asked.open("GET", address);
    asked.responseType = "document";
    asked.setRequestHeader("Accept", "text/html");
    asked.addEventListener("loadend", () => resolve({ page: asked.response, status: asked.status }));
    asked.send();
  });
}

async function refresh(parts) {
  const { page, status } = await readPage(parts[0].dataset.fresh);
  for (const part of parts) putIn(part, page?.getElementById(part.id), status === 410);
}

/* A page without the part, such as that for signing in, says nothing; a link that is closed has nothing to go on with. */
function putIn(part, found, isGone) {
  if (found) part.replaceChildren(...found.childNodes);
  if (found || isGone) part.hidden = !found || found.hidden;
}

function keepFresh(parts) {
  let hasBegun = [...parts].some((part) => "elsewhere" in part.dataset);   // others change it as well
  const look = () => { if (hasBegun && document.visibilityState === "visible") refresh(parts); };
  const begin = (event) => {
    if (!event.target.closest("[data-begins]")) return;
    hasBegun = true;
    setTimeout(look, SOON);
  };
  document.addEventListener("click", begin);
  document.addEventListener("visibilitychange", look);
  addEventListener("focus", look);
}

/* A preview that is being made: the page asks for itself again, less and less often, and puts it where a place is kept for
   it. What stands around it stays where it is. */
const PAUSES = [2, 4, 8, 16, 32];   // seconds: about a minute

async function awaitPreview(place) {
  promise(place, true);
  for (const pause of PAUSES) {
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    const found = (await readPage(location.href)).page?.getElementById(place.id);
    if (found && found.dataset.awaits !== place.dataset.awaits) await showPreview(place, found);
    if (!place.dataset.awaits) return;
  }
  promise(place, false);
}

/* Whether it comes by itself, or when the page is loaded again. */
function promise(place, isAwaited) {
  for (const part of place.querySelectorAll("[data-plain]")) part.hidden = isAwaited;
  for (const part of place.querySelectorAll("[data-scripted]")) part.hidden = !isAwaited;
}

async function showPreview(place, found) {
  place.style.minHeight = `${place.getBoundingClientRect().height}px`;
  place.replaceChildren(...found.childNodes);
  if (found.dataset.awaits) place.dataset.awaits = found.dataset.awaits;
  else delete place.dataset.awaits;
}

/* A stylesheet that is needed only now; without it all is there, only plainer. */
export function addStyle(href) {
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    for (const event of ["load", "error"]) link.addEventListener(event, resolve);
    document.head.append(link);
  });
}

/* Documents while one types: a list below the field, as ARIA has it for a combobox. The field keeps the focus, and Enter
   without a choice asks for the page. */
const PAUSE = 150;

class Suggestions {
  #input; #list; #timer; #asked; #active = -1;

  constructor(input, number) {
    this.#input = input;
    this.#list = Object.assign(document.createElement("ul"), { id: `suggestions-${number}`, hidden: true });
    this.#list.setAttribute("role", "listbox");
    this.#list.setAttribute("aria-label", "Documents");
    input.after(this.#list);
    for (const [name, value] of Object.entries({ role: "combobox", autocomplete: "off", "aria-autocomplete": "list",
      "aria-expanded": "false", "aria-controls": this.#list.id })) input.setAttribute(name, value);
    input.addEventListener("input", () => this.#wait());
    input.addEventListener("keydown", (event) => this.#onKey(event));
    input.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());   // the field keeps the focus
    this.#list.addEventListener("click", (event) => this.#open(event.target.closest("li")));
  }

  /* What was asked for before is not wanted any more, whether it is still to be sent or under way. */
  #wait() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    const text = this.#input.value.trim();
    if (text.length < 2) this.#close();
    else this.#timer = setTimeout(() => this.#ask(text), PAUSE);
  }

  async #ask(text) {
    this.#asked = new AbortController();
    const address = `${this.#input.form.dataset.suggests}?${new URLSearchParams({ q: text })}`;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, signal: this.#asked.signal });
      const found = answer.ok && !answer.redirected ? (await answer.json()).documents : [];   // signed out: to sign in
      if (document.activeElement === this.#input) this.#show(found);
    } catch { /* a newer question, or no network: what is there stays */ }
  }

  #show(found) {
    this.#close();
    this.#list.replaceChildren(...found.map((one, place) => this.#option(one, place)));
    this.#list.hidden = !found.length;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
  }

  #option({ title, where, kind, href }, place) {
    const option = Object.assign(document.createElement("li"), { id: `${this.#list.id}-${place}` });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.href = href;
    option.append(Object.assign(document.createElement("span"), { className: "title", dir: "auto", textContent: title }),
      Object.assign(document.createElement("small"), { className: "meta", textContent: `${kind} · ${where}` }));
    return option;
  }

  #close() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#list.hidden = true;
    this.#active = -1;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  /* From the field down through the list, and from its end back into the field. */
  #move(step) {
    const options = [...this.#list.children];
    this.#active = (this.#active + 1 + step + options.length + 1) % (options.length + 1) - 1;
    for (const [place, option] of options.entries()) option.setAttribute("aria-selected", String(place === this.#active));
    const chosen = options[this.#active];
    chosen?.scrollIntoView({ block: "nearest" });
    if (chosen) this.#input.setAttribute("aria-activedescendant", chosen.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #open(option) {
    if (!option) return;
    this.#close();   // or it would still stand open for who comes back
    location.assign(option.dataset.href);
  }

  #onKey(event) {
    if (this.#list.hidden || event.isComposing) return;
    const chosen = this.#list.children[this.#active];
    if (event.key === "ArrowDown") this.#move(1);
    else if (event.key === "ArrowUp") this.#move(-1);
    else if (event.key === "Escape") { this.#close(); event.stopPropagation(); }
    else if (event.key === "Enter" && chosen) this.#open(chosen);
    else return;
    event.preventDefault();
  }
}

function isTyping(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function onKey(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "/" && plain && !isTyping(event.target)) {
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if (event.key === "Escape") {
    closeMenus(null);
  }
}

/* The two folding menus of the header close like menus: by Escape, and by looking elsewhere. */
function closeMenus(target) {
  for (const menu of document.querySelectorAll(".top details[open]")) {
    if (target && menu.contains(target)) continue;
    if (!target && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
}

function start() {
  document.body.append(voice);
  document.querySelectorAll("form[data-download]").forEach(forgetProblem);
  document.querySelectorAll("[data-theme-button]").forEach(offerTheme);
  document.querySelectorAll("[data-copy]").forEach(offerCopy);
  document.querySelectorAll("[data-shows]").forEach(offerToShow);
  document.querySelectorAll("[data-selection]").forEach(countSelection);
  document.querySelectorAll("[data-lists]").forEach(listFiles);
  document.querySelectorAll("[data-drops]").forEach(awaitDrops);
  document.querySelectorAll("[data-several]").forEach(completeEach);
  document.querySelectorAll("[data-suggests] input").forEach((input, number) => new Suggestions(input, number));
  const parts = document.querySelectorAll("[data-fresh]");
  if (parts.length) keepFresh(parts);
  document.querySelectorAll("[data-awaits]").forEach(awaitPreview);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => closeMenus(event.target));
}

/* A module runs once the page is parsed; nothing to wait for. */
start();
