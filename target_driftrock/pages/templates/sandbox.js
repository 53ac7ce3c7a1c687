
"use strict";
// Asks the sandbox for what is new, and puts it on top. Nothing is reloaded, so whoever reads keeps the place.
const list = document.getElementById("arrivals"), filter = document.getElementById("filter");
const pause = document.getElementById("pause"), state = document.getElementById("state");
const dialog = document.getElementById("event");
const EVERY = 2000, TYPED = 250;
let typed = null, asking = 0;

const say = (text) => { if (state.textContent !== text) state.textContent = text; };
const isPaused = () => pause.getAttribute("aria-pressed") === "true";
const address = (after) => {
  const to = new URL("/", location);
  if (filter.value.trim()) to.searchParams.set("filter", filter.value.trim());
  if (after) to.searchParams.set("after", after);
  return to;
};

async function page(to) {
  const answer = await fetch(to, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function put(told, isAnew) {
  const found = told.getElementById("arrivals");
  document.getElementById("figures").replaceWith(told.getElementById("figures"));
  if (isAnew) list.replaceChildren(...found.children);
  else {
    const rows = found.querySelectorAll("article");
    if (rows.length) document.getElementById("nothing")?.remove();
    list.prepend(...rows);
    while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  }
  list.dataset.latest = found.dataset.latest;
  list.dataset.era = found.dataset.era;
}

async function look(isAnew) {
  const turn = ++asking;
  try {
    let told = await page(address(isAnew ? 0 : list.dataset.latest));
    if (told.getElementById("arrivals").dataset.era !== list.dataset.era && !isAnew) {
      told = await page(address(0));  // it was reset, or is another one: numbers begin anew
      isAnew = true;
    }
    if (turn !== asking) return;  // the filter has changed since
    put(told, isAnew);
    say(`What is new comes on top; the newest ${list.dataset.most} at most.`);
  } catch {
    if (turn === asking) say("The sandbox does not answer. It is asked again every two seconds.");
  }
}

async function follow() {
  if (!isPaused() && !document.hidden) await look(false);
  setTimeout(follow, EVERY);
}

function seek() {
  clearTimeout(typed);
  history.replaceState(null, "", address(0));
  look(true);
}

filter.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(seek, TYPED); });
filter.form.addEventListener("submit", (event) => { event.preventDefault(); seek(); });
pause.addEventListener("click", () => {
  const isNow = !isPaused();
  pause.setAttribute("aria-pressed", isNow);
  pause.textContent = isNow ? "Go on" : "Pause";
  if (isNow) { asking++; say("Paused. Nothing new is shown."); } else look(false);
});
list.addEventListener("click", async (event) => {
  const link = event.target.closest("a.whole");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const whole = (await page(link.href)).getElementById("whole");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(close, ...whole.children);
    dialog.showModal();
  } catch { say("That event is not kept any more, or the sandbox does not answer."); }
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

pause.hidden = false;
document.getElementById("apply").hidden = true;
say(`What is new comes on top; the newest ${list.dataset.most} at most.`);
setTimeout(follow, EVERY);
