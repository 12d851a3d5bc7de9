// The form of a query: columns to show, what to join, conditions, order.
import { type Choices, type Table } from "./schema";
import { type FormColumn, type FormCondition, type QueryForm, type Value, JOINS, choicesFor, nameOf, namesOf } from "./form";
import { type Parameters } from "./parameters";
import { button, control, element, labelled, option } from "./elements";

const OPERATORS: { sign: string; label: string; numbers: boolean; texts: boolean; values: number }[] = [
  { sign: ">", label: "is more than", numbers: true, texts: false, values: 1 },
  { sign: ">=", label: "is at least", numbers: true, texts: false, values: 1 },
  { sign: "<", label: "is less than", numbers: true, texts: false, values: 1 },
  { sign: "<=", label: "is at most", numbers: true, texts: false, values: 1 },
  { sign: "between", label: "lies between", numbers: true, texts: false, values: 2 },
  { sign: "=", label: "is", numbers: true, texts: true, values: 1 },
  { sign: "<>", label: "is not", numbers: true, texts: true, values: 1 },
  { sign: "in", label: "is one of", numbers: true, texts: true, values: 1 },
  { sign: "like", label: "is like (%, _)", numbers: false, texts: true, values: 1 },
  { sign: "within days", label: "lies in the last … days", numbers: true, texts: false, values: 1 },
  { sign: "before days", label: "is longer ago than … days", numbers: true, texts: false, values: 1 },
  { sign: "known", label: "is known", numbers: true, texts: true, values: 0 },
  { sign: "unknown", label: "is not known", numbers: true, texts: true, values: 0 },
];

/** Shows a form in `root`, and calls `changed` with it whenever somebody changes it. */
export class Builder {
  private form: QueryForm = { columns: [], joins: [], conditions: [], order: null, descending: false, most: null };

  constructor(
    private readonly root: HTMLElement,
    private readonly choices: Choices,
    private tables: Table[],
    private readonly parameters: Parameters | undefined,
    private readonly changed: (form: QueryForm) => void,
  ) {}

  show(form: QueryForm): void {
    this.form = structuredClone(form);
    this.draw();
  }

  know(tables: Table[]): void {
    this.tables = tables;
  }

  private change(edit: () => void, redraw = true): void {
    edit();
    if (redraw) this.draw();
    this.changed(structuredClone(this.form));
  }

  private draw(): void {
    const focus = (document.activeElement as HTMLElement | null)?.id ?? "";
    const names = element("datalist", { id: "builder-names" });
    for (const [name, { about, unit }] of namesOf(this.form, this.tables)) names.append(option(name, unit ? `${about} [${unit}]` : about));
    this.root.replaceChildren(names, this.columns(), this.joins(), this.conditions(), this.order());
    if (focus) document.getElementById(focus)?.focus();
  }

  private columns(): HTMLElement {
    const chips = this.form.columns.map((column, n) => {
      const flux = this.about(column)?.unit === "nJy";
      const chip = element("span", { className: "chip" }, written(column), column.called ? element("i", {}, ` as ${column.called}`) : "");
      if (flux) {
        const mag = button(column.magnitude ? "mag" : "nJy", () => this.change(() => (column.magnitude = !column.magnitude)), "chip-unit");
        mag.title = column.magnitude ? "Show the flux" : "Show the AB magnitude";
        chip.append(mag);
      }
      const remove = button("×", () => this.change(() => this.form.columns.splice(n, 1)), "chip-remove");
      remove.setAttribute("aria-label", `Do not show ${written(column)}`);
      chip.append(remove);
      return chip;
    });
    return part("Show", element("div", { className: "chips" }, ...chips), this.adder("Add a column", (column) => this.form.columns.push(column)));
  }

  private joins(): HTMLElement {
    const rows = this.form.joins.map((join, n) => {
      const known = JOINS[join.kind];
      const label = choicesFor(join.kind, this.choices).find((c) => c.which === join.which)?.name ?? join.which;
      const optional = control("checkbox", `join-optional-${n}`);
      optional.checked = join.optional;
      optional.addEventListener("change", () => this.change(() => (join.optional = optional.checked)));
      const remove = button("Remove", () => this.change(() => this.removeJoin(n)), "btn btn-sm btn-quiet");
      remove.setAttribute("aria-label", `Do not join ${known?.label ?? join.kind} ${label}`);
      const note = element("span", { className: "text-secondary" }, ` columns are ${join.name}.…`);
      return element("div", { className: "builder-row" }, element("b", {}, `${known?.label ?? join.kind} ${label}`), note, labelled(optional, "keep objects without it", "form-check"), remove);
    });
    const add = element("select", { className: "form-select form-select-sm w-auto", id: "join-add" }) as HTMLSelectElement;
    add.append(option("", "Join with …"));
    for (const [kind, { label, list }] of Object.entries(JOINS)) {
      if (!list) add.append(option(`${kind}:`, label));
      else for (const choice of choicesFor(kind, this.choices)) add.append(option(`${kind}:${choice.which}`, `${label} ${choice.name}`));
    }
    add.addEventListener("change", () => {
      const [kind = "", ...rest] = add.value.split(":");
      const which = rest.join(":");
      const name = nameOf(kind, which, this.form.joins.map((j) => j.name));
      this.change(() => this.form.joins.push({ kind, which, name, optional: false }));
    });
    return part("Joined with", ...rows, labelled(add, "Join with", "visually-hidden"));
  }

  private removeJoin(n: number): void {
    const [gone] = this.form.joins.splice(n, 1);
    const stays = (column: FormColumn): boolean => column.source !== gone?.name;
    this.form.columns = this.form.columns.filter(stays);
    this.form.conditions = this.form.conditions.filter((c) => stays(c.column));
    if (this.form.order && !stays(this.form.order)) this.form.order = null;
  }

  private conditions(): HTMLElement {
    const rows = this.form.conditions.map((condition, n) => this.condition(condition, n));
    const add = this.adder("Add a condition on …", (column) => this.form.conditions.push({ column, operator: this.about(column)?.numeric ? ">" : "=", values: [] }));
    return part("Where all of these hold", ...rows, add);
  }

  private condition(condition: FormCondition, n: number): HTMLElement {
    const about = this.about(condition.column);
    const numeric = about?.numeric ?? true;
    const name = element("span", { className: "builder-name", title: about?.about ?? "" }, written(condition.column));
    const operator = element("select", { className: "form-select form-select-sm", id: `operator-${n}` }) as HTMLSelectElement;
    for (const each of OPERATORS) if (numeric ? each.numbers : each.texts) operator.append(option(each.sign, each.label));
    operator.value = condition.operator;
    operator.addEventListener("change", () =>
      this.change(() => {
        condition.operator = operator.value;
        condition.values = condition.values.slice(0, OPERATORS.find((o) => o.sign === operator.value)?.values ?? 1);
      }),
    );
    const count = OPERATORS.find((o) => o.sign === condition.operator)?.values ?? 1;
    const inputs = Array.from({ length: count }, (_, place) => {
      const several = condition.operator === "in";
      const input = control("text", `value-${n}-${place}`, "form-control form-control-sm");
      input.value = several ? condition.values.map(shown).join(", ") : shown(condition.values[place] ?? "");
      input.inputMode = numeric && !several ? "decimal" : "text";
      input.size = several ? 24 : 9;
      input.addEventListener("change", () => {
        const given = several ? input.value.split(",").map((v) => v.trim()).filter(Boolean) : [input.value.trim()];
        const values = given.map((v) => read(v, numeric));
        this.change(() => (several ? (condition.values = values) : (condition.values[place] = values[0] ?? "")), false);
      });
      return labelled(input, `Value ${place + 1} for ${written(condition.column)}`, "visually-hidden");
    });
    const days = condition.operator.endsWith("days");
    const unit = element("span", { className: "unit" }, days ? "days" : condition.column.magnitude ? "mag" : (about?.unit ?? ""));
    const row = element("div", { className: "builder-row" }, name, labelled(operator, `Condition on ${written(condition.column)}`, "visually-hidden"), ...inputs, unit);
    if (about?.unit === "nJy") {
      const as = button(condition.column.magnitude ? "as flux" : "as magnitude", () => this.change(() => (condition.column.magnitude = !condition.column.magnitude)), "btn btn-sm btn-quiet");
      row.append(as);
    }
    if (count > 0) row.append(this.asParameter(condition, count, days ? "d" : condition.column.magnitude ? "mag" : (about?.unit ?? "")));
    const remove = button("Remove", () => this.change(() => this.form.conditions.splice(n, 1)), "btn btn-sm btn-quiet");
    remove.setAttribute("aria-label", `Remove the condition on ${written(condition.column)}`);
    row.append(remove);
    return row;
  }

  /** The switch between values and parameters of a condition, which keeps what stands there. */
  private asParameter(condition: FormCondition, count: number, unit: string): HTMLElement {
    const named = condition.values.some((value) => typeof value === "object");
    const turned = (): void => {
      const taken = this.form.conditions.flatMap((c) => c.values).map(shown);
      const values = condition.values.length > count ? condition.values : Array.from({ length: count }, (_, n) => condition.values[n] ?? "");
      condition.values = values.map((value) => {
        if (typeof value === "object") return named ? read(this.parameters?.value(value.parameter) ?? "", true) : value;
        if (named) return value;
        let name = condition.column.name.replace(/\W/g, "_");
        for (let n = 2; taken.includes(`:${name}`); n++) name = `${condition.column.name.replace(/\W/g, "_")}_${n}`;
        taken.push(`:${name}`);
        this.parameters?.remember({ name, type: typeof value === "number" ? "number" : "text", value: String(value), unit, description: "" });
        return { parameter: name };
      });
    };
    const label = named ? "as value" : "as parameter";
    const made = button(label, () => this.change(turned), "btn btn-sm btn-quiet");
    made.setAttribute("aria-label", `The condition on ${written(condition.column)} ${label}`);
    return made;
  }

  private order(): HTMLElement {
    const by = control("text", "builder-order", "form-control form-control-sm");
    by.setAttribute("list", "builder-names");
    by.value = this.form.order ? written(this.form.order) : "";
    by.placeholder = "no order";
    by.addEventListener("change", () => {
      const found = namesOf(this.form, this.tables).get(by.value.trim());
      this.change(() => (this.form.order = found?.column ?? null));
    });
    const descending = control("checkbox", "builder-descending");
    descending.checked = this.form.descending;
    descending.addEventListener("change", () => this.change(() => (this.form.descending = descending.checked)));
    const most = control("number", "builder-most", "form-control form-control-sm");
    most.min = "1";
    most.value = this.form.most === null ? "" : String(this.form.most);
    most.placeholder = "all";
    most.addEventListener("change", () => this.change(() => (this.form.most = most.value ? Math.max(1, Math.floor(Number(most.value))) : null)));
    const row = element("div", { className: "builder-row" }, labelled(by, "By"), labelled(descending, "largest first", "form-check"), labelled(most, "At most rows"));
    return part("In which order", row);
  }

  private adder(label: string, add: (column: FormColumn) => void): HTMLElement {
    const id = `add-${label.toLowerCase().replace(/\W+/g, "-")}`;
    const input = control("text", id, "form-control form-control-sm builder-add");
    input.setAttribute("list", "builder-names");
    input.placeholder = label;
    const take = (): void => {
      const names = namesOf(this.form, this.tables);
      const found = names.get(input.value.trim()) ?? names.get(`objects.${input.value.trim()}`);
      if (found) this.change(() => add({ ...found.column }));
    };
    input.addEventListener("change", take);
    return labelled(input, label, "visually-hidden");
  }

  private about(column: FormColumn): { unit: string; numeric: boolean; about: string } | undefined {
    return namesOf(this.form, this.tables).get(`${column.source}.${column.name}`);
  }
}

function shown(value: Value): string {
  return typeof value === "object" ? `:${value.parameter}` : String(value);
}

/** What somebody wrote: a parameter, a number where one goes, or a text. */
function read(text: string, numeric: boolean): Value {
  if (/^:[A-Za-z]\w*$/.test(text)) return { parameter: text.slice(1) };
  return numeric && text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function written(column: FormColumn): string {
  return column.source === "objects" ? column.name : `${column.source}.${column.name}`;
}

function part(title: string, ...inner: HTMLElement[]): HTMLElement {
  const group = element("fieldset", { className: "builder-part" }, element("legend", {}, title));
  group.append(...inner);
  return group;
}
