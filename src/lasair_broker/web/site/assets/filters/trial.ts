// What the filter in the editor would find, asked anew whenever its text has changed and says something.
import { csrfToken } from "../common/api";
import htmx from "../common/htmx";
import { toast } from "../common/toast";

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
  let asked: AbortController | undefined;
  const ask = async (): Promise<void> => {
    if (!place || !area) return;
    clearTimeout(timer);
    asked?.abort(); // the server stops what nobody waits for
    const mine = (asked = new AbortController());
    place.setAttribute("aria-busy", "true");
    const body = new URLSearchParams({ adql: area.value, night: night?.value ?? "", filter_id: editor?.dataset["filter"] ?? "" });
    for (const [name, value] of new FormData(form)) if (name.startsWith("parameter-") && typeof value === "string") body.append(name, value);
    try {
      const headers = { "X-CSRFToken": csrfToken() };
      const answer = await fetch(place.dataset["trial"] ?? "", { method: "POST", credentials: "same-origin", headers, body, signal: mine.signal });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
      place.innerHTML = text; // made by the server, which escapes what users wrote
      htmx.process(place);
    } catch (error) {
      if (mine.signal.aborted) return;
      toast(error instanceof Error ? error.message : String(error), "danger");
    }
    place.setAttribute("aria-busy", "false");
  };
  const now = (): void => void ask();
  const soon = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(now, WAIT_MS);
  };
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
