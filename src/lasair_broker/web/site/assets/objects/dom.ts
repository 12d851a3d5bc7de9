// Elements made by scripts; text is text, whatever it holds.

type Child = Node | string;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A table with a caption for who cannot see it; numbers are text already. Columns after the first `texts` are numbers. */
export function makeTable(caption: string, heads: string[], rows: string[][], texts = 1): HTMLTableElement {
  const of = (i: number): Record<string, string> => (i < texts ? {} : { class: "number" });
  return make(
    "table",
    { class: "table table-sm" },
    make("caption", { class: "visually-hidden" }, caption),
    make("thead", {}, make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", ...of(i) }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((text, i) => make("td", of(i), text))))),
  );
}

/** Gives a file to the viewer. */
export function give(name: string, media: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: media }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
