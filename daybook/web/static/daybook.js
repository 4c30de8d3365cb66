// What the pages need beyond htmx: parts that open and close, and plain words when something goes wrong.
"use strict";

function panelOf(link) {
  const cell = document.getElementById(link.dataset.opens);
  return cell && { cell, row: cell.closest("tr") };
}

// Opening loads the part anew through htmx, so that figures are never old; closing only hides it.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-opens]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const panel = panelOf(link);
  if (!panel) return;
  if (link.getAttribute("aria-expanded") === "true") {
    event.preventDefault();
    event.stopPropagation();
    panel.row.hidden = true;
    link.setAttribute("aria-expanded", "false");
    return;
  }
  const loading = document.createElement("p");
  loading.className = "loading";
  loading.textContent = "Loading…";
  panel.cell.replaceChildren(loading);
  panel.row.hidden = false;
  link.setAttribute("aria-expanded", "true");
}, true);

// Escape closes the innermost open part and goes back to what opened it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.matches("input, select")) return;
  const cell = event.target.closest("tr.opened > td[id]");
  const link = event.target.matches("a[data-opens][aria-expanded=true]")
    ? event.target
    : cell && document.querySelector(`a[data-opens="${cell.id}"]`);
  if (!link || link.getAttribute("aria-expanded") !== "true") return;
  link.click();
  link.focus();
});

function tell(text) {
  const box = document.getElementById("trouble");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => { box.hidden = true; });
  box.replaceChildren(text, close);
  box.hidden = false;
}

const WORDS = {
  401: "You are signed out: reload the page and sign in again.",
  403: "You may not do that: it needs another role.",
  404: "That is not there any more: reload the page.",
  421: "This address is not Daybook's.",
  429: "That was too often: wait a minute and try again.",
  503: "Daybook is not ready just now: try again in a moment.",
};

function failed(event) {
  const { ctx } = event.detail;
  const status = ctx?.response?.status;
  tell(WORDS[status] || (status ? "Daybook failed at this; nothing half done is kept. Try again." : "Daybook cannot be reached. Try again."));
  const loading = ctx?.target?.querySelector?.(":scope > .loading");
  if (loading) {
    const link = document.querySelector(`a[data-opens="${ctx.target.id}"]`);
    ctx.target.closest("tr").hidden = true;
    link?.setAttribute("aria-expanded", "false");
  }
}
document.addEventListener("htmx:response:error", failed);
document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:before:request", () => {
  const box = document.getElementById("trouble");
  if (box) box.hidden = true;
});

// A form that may be sent once only.
document.addEventListener("submit", (event) => {
  if (!("once" in event.target.dataset)) return;
  for (const button of event.target.querySelectorAll("button")) button.disabled = true;
});
// Coming back to the page, it may be sent again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});
