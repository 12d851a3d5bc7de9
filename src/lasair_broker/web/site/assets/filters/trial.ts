// What the filter in the editor would find, asked anew whenever its text has changed and says something.
import htmx from "../common/htmx";

const WAIT_MS = 500;

export interface Trial {
  soon: () => void;
  now: () => void;
}

export function watchTrial(form: HTMLFormElement): Trial {
  const place = form.querySelector<HTMLElement>("[data-trial]");
  const night = form.querySelector<HTMLSelectElement>("[data-night]");
  const area = form.querySelector<HTMLTextAreaElement>("textarea[name=adql]");
  const editor = form.querySelector<HTMLElement>("[data-query-editor]");
  let timer = 0;
  const now = (): void => {
    if (!place || !area) return;
    clearTimeout(timer);
    place.setAttribute("aria-busy", "true");
    const values = { adql: area.value, night: night?.value ?? "", filter_id: editor?.dataset["filter"] ?? "" };
    htmx.trigger(place, "htmx:abort", {});
    void htmx.ajax("post", place.dataset["trial"] ?? "", { source: place, target: place, swap: "innerHTML", values });
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(now, WAIT_MS);
  };
  place?.addEventListener("htmx:afterSwap", () => place.setAttribute("aria-busy", "false"));
  night?.addEventListener("change", now);

  const rule = form.querySelector<HTMLSelectElement>("select[name=renotify]");
  const again = form.querySelector<HTMLElement>("[data-again]");
  const show = (): void => {
    if (again && rule) again.hidden = rule.value !== "again";
  };
  rule?.addEventListener("change", show);
  show();
  return { soon, now };
}
