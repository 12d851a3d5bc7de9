// The parts of a filter's page, each fetched when it is opened first.
import { Tab } from "bootstrap";
import { ask } from "../common/api";
import htmx from "../common/htmx";
import { toast } from "../common/toast";

export function watchParts(): void {
  const load = (pane: Element | null): void => {
    const address = pane instanceof HTMLElement ? pane.dataset["load"] : undefined;
    if (!address || !(pane instanceof HTMLElement) || !pane.querySelector("[data-waiting]") || pane.dataset["asked"]) return;
    pane.dataset["asked"] = "yes";
    // What goes wrong is told by common/htmx.ts.
    htmx.ajax("get", address, { source: pane, target: pane, swap: "innerHTML" }).catch(() => undefined);
  };
  document.addEventListener("shown.bs.tab", (event) => {
    load(document.querySelector((event.target as HTMLElement).dataset["bsTarget"] ?? "#none"));
  });
  load(document.querySelector(".tab-pane.active[data-load]"));
  for (const link of document.querySelectorAll<HTMLElement>("[data-open-tab]")) {
    link.addEventListener("click", () => {
      const tab = document.querySelector(`[data-bs-target="#${link.dataset["openTab"]}"]`);
      if (tab) Tab.getOrCreateInstance(tab).show();
    });
  }
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-drop]");
    if (!button) return;
    void ask(`/api/v1/tags/${button.dataset["drop"]}/`, undefined, { method: "DELETE" })
      .then(() => button.closest("tr")?.remove())
      .catch((error: Error) => toast(error.message, "danger"));
  });
}
