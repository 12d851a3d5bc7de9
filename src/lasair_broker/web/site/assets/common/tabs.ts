// The tab that is open is part of the address, so that it can be shared and survives a reload.
import { Tab } from "bootstrap";

export function watchTabs(): void {
  const open = (): void => {
    const tabs = document.querySelectorAll<HTMLElement>('[data-bs-toggle="tab"]');
    const wanted = [...tabs].find((tab) => tab.dataset["bsTarget"] === location.hash);
    if (wanted) Tab.getOrCreateInstance(wanted).show();
  };
  if (location.hash) open();
  addEventListener("hashchange", open);
  document.addEventListener("shown.bs.tab", (event) => {
    const target = (event.target as HTMLElement).dataset["bsTarget"];
    if (target && target !== location.hash) history.replaceState(null, "", target);
  });
}
