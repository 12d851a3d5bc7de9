// The browser of tables and columns beside an editor: searched by name and meaning, put into the text by a click.
import htmx from "../htmx";
import { type Table, meaning } from "./schema";

/** Fills the browser; `insert` puts a name into the query. */
export function showFields(root: HTMLElement, tables: Table[], insert: (name: string) => void): void {
  const list = root.querySelector<HTMLElement>("[data-fields-list]");
  const search = root.querySelector<HTMLInputElement>("input[type=search]");
  if (!list || !search) return;
  const draw = (): void => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text: string): boolean => words.every((word) => text.toLowerCase().includes(word));
    const parts: HTMLElement[] = [];
    for (const table of tables) {
      const columns = table.columns.filter((c) => fits(`${table.name}.${c.name} ${c.description} ${c.unit ?? ""} ${c.ucd ?? ""}`));
      if (columns.length) parts.push(tableOf(table, columns, words.length > 0 || table.name === "objects", insert));
    }
    list.replaceChildren(...parts);
    if (!parts.length) list.textContent = "No table or column fits these words.";
  };
  search.addEventListener("input", draw);
  draw();
}

function tableOf(table: Table, columns: Table["columns"], open: boolean, insert: (name: string) => void): HTMLElement {
  const details = document.createElement("details");
  details.open = open;
  const summary = document.createElement("summary");
  summary.append(strong(table.name), ` ${columns.length}`);
  summary.title = table.description;
  const rows = document.createElement("ul");
  for (const column of columns) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "field-name";
    button.textContent = column.name;
    button.title = `Put ${table.name}.${column.name} into the query`;
    button.addEventListener("click", () => insert(`${table.name}.${column.name}`));
    const unit = document.createElement("span");
    unit.className = "unit";
    unit.textContent = column.unit ?? "";
    const text = document.createElement("span");
    text.className = "field-meaning";
    text.textContent = column.description;
    text.title = meaning(column);
    row.append(button, unit, distributionOf(table.name, column.name), text);
    rows.append(row);
  }
  details.append(summary, rows);
  return details;
}

/** A button that shows below it how the values of a column are distributed, as the server draws it. */
function distributionOf(table: string, column: string): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "field-values";
  button.textContent = "values";
  button.title = `How ${column} is distributed`;
  button.setAttribute("aria-label", `values of ${column}`);
  button.setAttribute("aria-expanded", "false");
  let place: HTMLElement | undefined;
  button.addEventListener("click", () => {
    if (!place) {
      place = document.createElement("div");
      place.className = "field-distribution";
      place.textContent = "…";
      button.parentElement?.append(place);
      void htmx.ajax("get", `/schema/${table}/${column}/`, { source: place, target: place, swap: "innerHTML" });
    } else place.hidden = !place.hidden;
    button.setAttribute("aria-expanded", String(!place.hidden));
  });
  return button;
}

function strong(text: string): HTMLElement {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}
