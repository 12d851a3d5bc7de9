// What the search box suggests: objects whose number or name begins with what was typed (WAI-ARIA's combobox).

interface Suggestion {
  name: string;
  beside: string;
  detections: number;
  address: string;
}

const WAIT_MS = 200;

export function watchSuggestions(): void {
  const box = document.querySelector<HTMLInputElement>("input[data-suggest]");
  const list = document.querySelector<HTMLUListElement>("#site-suggestions");
  if (box && list) suggest(box, list);
}

function suggest(box: HTMLInputElement, list: HTMLUListElement): void {
  let chosen = -1;
  let waiting = 0;
  let asked = "";

  const options = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>('[role="option"]')];
  const close = (): void => {
    list.hidden = true;
    chosen = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const choose = (place: number): void => {
    const all = options();
    if (!all.length) return;
    chosen = (place + all.length) % all.length;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    const option = all[chosen];
    if (option) box.setAttribute("aria-activedescendant", option.id);
  };
  const show = (found: Suggestion[]): void => {
    list.replaceChildren(...found.map(option));
    chosen = -1;
    list.hidden = !found.length;
    box.setAttribute("aria-expanded", String(found.length > 0));
  };
  const look = async (): Promise<void> => {
    const text = box.value.trim();
    if (text === asked) return;
    asked = text;
    if (text.length < 3) return close();
    const address = `${box.dataset["suggest"]}?q=${encodeURIComponent(text)}`;
    const response = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok || asked !== text) return;
    const answer = (await response.json()) as { suggestions: Suggestion[] };
    if (asked === text && document.activeElement === box) show(answer.suggestions);
  };

  box.addEventListener("input", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => void look(), WAIT_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && chosen >= 0) location.assign(options()[chosen]?.dataset["address"] ?? "");
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => {
    const option = (event.target as Element).closest<HTMLElement>("[data-address]");
    if (option) location.assign(option.dataset["address"] ?? "");
  });
  box.addEventListener("blur", close);
}

function option(found: Suggestion, number: number): HTMLLIElement {
  const made = document.createElement("li");
  made.id = `site-suggestion-${number}`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  made.dataset["address"] = found.address;
  const name = document.createElement("span");
  name.textContent = found.beside ? `${found.name}  ${found.beside}` : found.name;
  const count = document.createElement("span");
  count.className = "text-secondary";
  count.textContent = `${found.detections} seen`;
  made.append(name, count);
  return made;
}
