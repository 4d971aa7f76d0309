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

function say(sentence) {
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
function sizeInWords(bytes) {
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

/* By the one way that makes no markup from text here: the browser reads the answer as a page by itself. */
function refresh(parts) {
  const asked = new XMLHttpRequest();
  asked.open("GET", parts[0].dataset.fresh);
  asked.responseType = "document";
  asked.setRequestHeader("Accept", "text/html");
  asked.addEventListener("load", () => {
    for (const part of parts) putIn(part, asked.response?.getElementById(part.id), asked.status === 410);
  });
  asked.send();   // without an answer all stays as it was
}

/* A page without the part, such as that for signing in, says nothing; a link that is closed has nothing to go on with. */
function putIn(part, found, isGone) {
  if (found) part.replaceChildren(...found.childNodes);
  if (found || isGone) part.hidden = !found || found.hidden;
}

function keepFresh(parts) {
  let hasBegun = false;
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
  document.querySelectorAll("[data-several]").forEach(completeEach);
  const parts = document.querySelectorAll("[data-fresh]");
  if (parts.length) keepFresh(parts);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => closeMenus(event.target));
}

/* A module runs once the page is parsed; nothing to wait for. */
start();
