// Keeps the overview up to date by server-sent events: paused while hidden, taken up again by itself, never older than it says.
"use strict";

const OLD_MS = 5000, FIRST_RETRY_MS = 500, LONGEST_RETRY_MS = 10000;

// Make `old` equal to `fresh` with as little change as can be, so that focus, selection and open details stay.
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) {
    if (!old.isEqualNode(fresh)) old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const kept = new Map();
  for (const child of old.children) if (key(child)) kept.set(key(child), child);
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = kept.get(key(wanted));
    if (known && known !== place) old.insertBefore(known, place);
    const there = known || place;
    if (!there) { old.append(wanted); continue; }
    place = there.nextSibling;
    if (!known && key(there)) { old.insertBefore(wanted, there); place = there; continue; }
    morph(there, wanted);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

function key(node) { return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || "" : ""; }

class Live {
  constructor(shown) {
    this.shown = shown;
    this.words = shown.querySelector(".words");
    this.last = performance.now();
    this.wait = FIRST_RETRY_MS;
    this.problem = "";
    document.addEventListener("visibilitychange", () => document.hidden ? this.pause() : this.open());
    addEventListener("pagehide", () => this.pause());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    setInterval(() => this.tell(), 250);
    if (!document.hidden) this.open();
  }

  open() {
    this.pause();
    this.source = new EventSource(this.shown.dataset.live);
    this.source.addEventListener("parts", (event) => this.take(JSON.parse(event.data)));
    this.source.addEventListener("error", () => this.failed());
  }

  pause() {
    clearTimeout(this.again);
    if (this.source) this.source.close();
    this.source = null;
  }

  take({ version, parts }) {
    if (version !== this.shown.dataset.version) { location.reload(); return; }
    this.last = performance.now();
    this.wait = FIRST_RETRY_MS;
    this.problem = "";
    const holder = document.createElement("template");
    for (const [id, html] of Object.entries(parts)) {
      const region = document.getElementById(id);
      if (!region) continue;
      holder.innerHTML = html;
      morphChildren(region, holder.content);
    }
    this.tell();
  }

  // The browser would try again by itself after some failures and never after others; so we always do it ourselves.
  async failed() {
    this.pause();
    this.problem = "reconnecting";
    this.again = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_RETRY_MS);
    try {
      const answer = await fetch(this.shown.dataset.live, { method: "HEAD", cache: "no-store" });
      if (answer.status === 403) { this.pause(); this.problem = "ended: open it again with heroku addons:open dj"; }
    } catch { /* Nobody is there; the timer goes on. */ }
  }

  tell() {
    const age = performance.now() - this.last;
    const old = age > OLD_MS || this.problem !== "";
    const words = `${this.problem ? this.problem + " · " : ""}${age < 1500 ? "live" : Math.round(age / 1000) + " s old"}`;
    if (this.words.textContent !== words) this.words.textContent = words;
    const problem = this.shown.querySelector(".problem");
    if (problem.textContent !== this.problem) problem.textContent = this.problem;
    this.shown.classList.toggle("old", old);
    document.documentElement.classList.toggle("old", old);
  }
}

const shown = document.querySelector("[data-live]");
if (shown) new Live(shown);

// A command is copied by its own button, where the browser lets us.
if (navigator.clipboard) document.addEventListener("click", async (event) => {
  const command = event.target.closest("code.command");
  if (!command || String(getSelection())) return;
  await navigator.clipboard.writeText(command.textContent);
  command.classList.add("copied");
  setTimeout(() => command.classList.remove("copied"), 1200);
});

// The filters of the list of jobs apply at once.
for (const radio of document.querySelectorAll(".filters input[type=radio]")) radio.addEventListener("change", () => radio.form.requestSubmit());

// One box chooses all jobs of the page.
const every = document.getElementById("every");
if (every) {
  every.hidden = false;
  every.addEventListener("change", () => {
    for (const box of document.querySelectorAll("input[name=id]")) box.checked = every.checked;
  });
}
