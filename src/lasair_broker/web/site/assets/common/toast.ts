// Short notices at the corner of the page, which assistive technology reads out.
import { Toast } from "bootstrap";

const SHORTEST_MS = 5000;
const READING_MS = 60; // a letter

export type Kind = "success" | "info" | "warning" | "danger";

/** Shows a notice for as long as reading it takes; one of something that failed stays until it is closed. */
export function toast(text: string, kind: Kind = "success"): void {
  const template = document.querySelector<HTMLTemplateElement>("#toast-template");
  const place = document.querySelector("#toasts");
  const made = (template?.content.firstElementChild?.cloneNode(true) ?? null) as HTMLElement | null;
  if (!place || !made) return;
  made.classList.add(`border-${kind}`);
  made.querySelector(".toast-body")!.textContent = text;
  place.append(made);
  made.addEventListener("hidden.bs.toast", () => made.remove());
  Toast.getOrCreateInstance(made, { autohide: kind !== "danger", delay: Math.max(SHORTEST_MS, READING_MS * text.length) }).show();
}

/** Shows what the server sends with `site.notices.toast` in its answer to htmx. */
export function watchToasts(): void {
  document.addEventListener("lasair:toast", (event) => {
    const { text, kind } = (event as CustomEvent<{ text: string; kind: Kind }>).detail;
    toast(text, kind);
  });
}
