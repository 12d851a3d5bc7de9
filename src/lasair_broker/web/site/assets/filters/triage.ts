// Going through results by keys: j and k move, s keeps the object (or no longer), o opens it.
import { ask } from "../common/api";
import { toast } from "../common/toast";

interface Tag {
  id: number;
}

export function watchTriage(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, [contenteditable], .cm-editor")) return;
    const items = [...document.querySelectorAll<HTMLElement>("[data-triage]")].filter((item) => item.offsetParent);
    if (!items.length) return;
    const at = items.findIndex((item) => item.classList.contains("current"));
    const current = items[at];
    if (event.key === "j" || event.key === "k") {
      const next = items[event.key === "j" ? Math.min(items.length - 1, at + 1) : Math.max(0, at - 1)];
      if (next) go(items, next);
    } else if (event.key === "s" && current) {
      void keep(current);
    } else if (event.key === "o" && current) {
      const link = current.querySelector<HTMLAnchorElement>("[data-open], td a[href]");
      if (link) window.open(link.href, "_blank", "noopener");
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const item = (event.target as Element).closest<HTMLElement>("[data-triage]");
    if (!item) return;
    go([...document.querySelectorAll<HTMLElement>("[data-triage]")], item, false);
    if ((event.target as Element).closest("[data-keep]")) void keep(item);
  });
}

function go(items: HTMLElement[], item: HTMLElement, focus = true): void {
  for (const each of items) {
    each.classList.toggle("current", each === item);
    each.toggleAttribute("aria-current", each === item);
  }
  if (!focus) return;
  item.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
}

async function keep(item: HTMLElement): Promise<void> {
  const button = item.querySelector<HTMLButtonElement>("[data-keep]");
  const number = item.dataset["object"];
  if (!button || !number) {
    toast("This row does not say which object it is of: select diaObjectId.", "warning");
    return;
  }
  const kept = button.getAttribute("aria-pressed") === "true";
  try {
    if (kept) {
      const found = await ask<{ results: Tag[] }>(`/api/v1/tags/?mine=true&diaObjectId=${number}`);
      for (const tag of found.results) await ask(`/api/v1/tags/${tag.id}/`, undefined, { method: "DELETE" });
    } else {
      // As text: a number of 64 bits does not fit JavaScript's.
      await ask("/api/v1/tags/", { diaObjectId: number });
    }
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "danger");
    return;
  }
  for (const same of document.querySelectorAll(`[data-object="${number}"] [data-keep]`)) {
    same.setAttribute("aria-pressed", String(!kept));
    same.classList.toggle("kept", !kept);
  }
  toast(kept ? "No longer kept." : "Kept.", kept ? "info" : "success");
}
