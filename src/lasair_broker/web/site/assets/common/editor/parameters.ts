// The table of the values that a query names: a row for each that the server finds in the text.

/** A row, as the server takes it. */
export interface Declared {
  name: string;
  type: string;
  value: string;
  unit: string;
  description: string;
}

const FIELDS = ["name", "type", "value", "unit", "description"] as const;

export class Parameters {
  private readonly body: HTMLElement;
  private readonly sample: HTMLTemplateElement;
  /** What rows said that are not in the text now: it may come back while somebody writes. */
  private readonly remembered = new Map<string, Declared>();

  private constructor(
    private readonly root: HTMLElement,
    changed: () => void,
  ) {
    this.body = root.querySelector<HTMLElement>("[data-parameter-rows]")!;
    this.sample = root.querySelector<HTMLTemplateElement>("template[data-parameter-row]")!;
    this.body.addEventListener("input", changed);
  }

  /** The table of an editor. */
  static of(editor: HTMLElement, changed: () => void): Parameters | undefined {
    const root = editor.querySelector<HTMLElement>("[data-parameters]");
    return root ? new Parameters(root, changed) : undefined;
  }

  rows(): Declared[] {
    return [...this.body.children].map((row) => {
      const texts = FIELDS.map((field) => [field, control(row, field).value]);
      return Object.fromEntries(texts) as unknown as Declared;
    });
  }

  /** Lets the rows be those of the parameters that the text names, in its order. */
  show(named: { name: string; type: string }[]): void {
    const shown = new Map(this.rows().map((row, n) => [row.name.toLowerCase(), { row, element: this.body.children[n]! }]));
    const wanted = named.map(({ name, type }) => {
      const known = shown.get(name.toLowerCase());
      shown.delete(name.toLowerCase());
      return known?.element ?? this.made(this.remembered.get(name.toLowerCase()) ?? { name, type, value: "", unit: "", description: "" });
    });
    for (const [name, { row, element }] of shown) {
      this.remembered.set(name, row);
      element.remove();
    }
    wanted.forEach((element, n) => {
      // A row that stands where it belongs is not moved: its field may have the focus.
      if (this.body.children[n] !== element) this.body.insertBefore(element, this.body.children[n] ?? null);
    });
    this.root.hidden = wanted.length === 0;
  }

  /** What a parameter is to be once the text names it. */
  remember(row: Declared): void {
    this.remembered.set(row.name.toLowerCase(), row);
  }

  /** The value of a parameter; undefined if there is none of that name. */
  value(name: string): string | undefined {
    return this.rows().find((row) => row.name.toLowerCase() === name.toLowerCase())?.value;
  }

  private made(row: Declared): Element {
    const element = (this.sample.content.cloneNode(true) as DocumentFragment).firstElementChild!;
    for (const field of FIELDS) {
      const input = control(element, field);
      input.value = row[field];
      const label = input.getAttribute("aria-label");
      if (label) input.setAttribute("aria-label", label.replace(":", `:${row.name}`));
    }
    element.querySelector("code")!.textContent = `:${row.name}`;
    element.setAttribute("data-parameter", row.name);
    return element;
  }
}

function control(row: Element, field: string): HTMLInputElement | HTMLSelectElement {
  return row.querySelector<HTMLInputElement | HTMLSelectElement>(`[name=parameter-${field}]`)!;
}
