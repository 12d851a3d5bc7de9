// Making elements of a page without writing HTML.

export function element(name: string, properties: Record<string, string> = {}, ...inner: (Node | string)[]): HTMLElement {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inner.filter((each) => each !== ""));
  return made;
}

export function option(value: string, label: string): HTMLOptionElement {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = label;
  return made;
}

export function control(type: string, id: string, className = type === "checkbox" ? "form-check-input" : ""): HTMLInputElement {
  return Object.assign(document.createElement("input"), { type, id, className, autocomplete: "off" });
}

export function button(text: string, act: () => void, className: string): HTMLButtonElement {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, className });
  made.addEventListener("click", act);
  return made;
}

/** A control with its label before it; "form-check": after it; "visually-hidden": for who cannot see. */
export function labelled(input: HTMLElement, text: string, kind: "" | "form-check" | "visually-hidden" = ""): HTMLElement {
  const label = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: text });
  label.className = kind === "form-check" ? "form-check-label" : kind === "visually-hidden" ? kind : "builder-label";
  const whole = element("span", { className: kind === "form-check" ? "form-check" : "builder-field" });
  whole.append(...(kind === "form-check" ? [input, " ", label] : [label, input]));
  return whole;
}
