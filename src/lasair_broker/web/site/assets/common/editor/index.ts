// A query's editor on a page: SQL and form, which follow each other, and the fields beside it.
import { Tab } from "bootstrap";
import { ask } from "../api";
import { pageData } from "../data";
import { toast } from "../toast";
import { Builder } from "./builder";
import { type Fault, editorOf, replaceText } from "./editor";
import { showFields } from "./fields";
import { formatted } from "./format";
import { NoForm, formOf, textOf } from "./form";
import { type Declared, Parameters } from "./parameters";
import { type Choices, tables } from "./schema";

const WAIT_MS = 350;

export interface QueryEditor {
  text: () => string;
  parameters: () => Declared[];
  /** Calls back with each text that is a query, once it has been checked. */
  onChecked: (call: (text: string) => void) => void;
}

/** The editor of this page, if it has one. */
export function startEditor(run: () => void): QueryEditor | undefined {
  const root = document.querySelector<HTMLElement>("[data-query-editor]");
  const area = root?.querySelector<HTMLTextAreaElement>("textarea");
  const told = root?.querySelector<HTMLElement>("[data-told]");
  const pane = root?.querySelector<HTMLElement>("[data-builder]");
  if (!root || !area || !told || !pane) return undefined;
  const choices = pageData<Choices>("editor-choices");
  const listeners: ((text: string) => void)[] = [];
  const filter = root.dataset["kind"] === "filter";
  let last = "";
  let verdict: Promise<Fault | null> = Promise.resolve(null);
  const asked = (text: string): string => JSON.stringify([text, parameters?.rows() ?? []]);
  const check = (text: string): Promise<Fault | null> => {
    if (asked(text) !== last || !text) {
      last = asked(text);
      verdict = judged(text, parameters?.rows() ?? [], filter, root.dataset["filter"]).then(({ fault, named }) => {
        if (text !== area.value) return fault;
        const before = asked(text);
        if (named) parameters?.show(named);
        if (asked(text) !== before) {
          last = ""; // rows have come or gone, with what they said before
          return check(text);
        }
        tell(fault);
        if (!fault) listeners.forEach((call) => call(text));
        return fault;
      });
    }
    return verdict;
  };
  const tell = (fault: Fault | null): void => {
    told.replaceChildren();
    if (!fault) return;
    const where = fault.position === null ? "" : `Line ${area.value.slice(0, fault.position).split("\n").length}: `;
    told.append(Object.assign(document.createElement("div"), { className: "fault", textContent: where + fault.message }));
  };
  const { view, know, judge } = editorOf({ area, functions: choices.functions, check, run });
  let later = 0;
  const parameters = Parameters.of(root, () => {
    clearTimeout(later);
    later = window.setTimeout(judge, WAIT_MS);
  });
  const builder = new Builder(pane, choices, [], parameters, (form) => {
    void textOf(form)
      .then((text) => replaceText(view, text))
      .catch((error: unknown) => tell({ message: error instanceof Error ? error.message : String(error), position: null }));
  });
  void tables()
    .then((found) => {
      know(found);
      builder.know(found);
      const fields = document.querySelector<HTMLElement>("[data-fields]");
      if (fields) showFields(fields, found, (name) => view.dispatch(view.state.replaceSelection(name)));
      toForm.disabled = false;
    })
    .catch(() => toast("The list of tables could not be read; completion is not there.", "warning"));

  const toForm = root.querySelector<HTMLButtonElement>("[data-to-form]")!;
  const toSql = root.querySelector<HTMLButtonElement>("[data-to-sql]")!;
  toForm.addEventListener("shown.bs.tab", () => {
    void formOf(area.value)
      .then((form) => builder.show(form))
      .catch((error: unknown) => {
        Tab.getOrCreateInstance(toSql).show();
        const known = error instanceof NoForm;
        tell({ message: `${known ? error.message : "the server does not answer"}; so it stays SQL.`, position: known ? error.position : null });
      });
  });
  root.querySelector("[data-format]")?.addEventListener("click", () => replaceText(view, formatted(area.value)));
  for (const example of root.querySelectorAll<HTMLElement>("[data-example]")) {
    example.addEventListener("click", () => {
      Tab.getOrCreateInstance(toSql).show();
      replaceText(view, example.dataset["example"] ?? "");
    });
  }
  return { text: () => area.value, parameters: () => parameters?.rows() ?? [], onChecked: (call) => listeners.push(call) };
}

interface Verdict {
  fault: Fault | null;
  /** The parameters that the text names; undefined if it is not known. */
  named?: { name: string; type: string }[] | undefined;
}

async function judged(text: string, parameters: Declared[], filter: boolean, number: string | undefined): Promise<Verdict> {
  if (!text.trim()) return { fault: { message: "The query is empty.", position: null } };
  const given = { adql: text, parameters, kind: filter ? "filter" : "query", filter_id: number ? Number(number) : null };
  try {
    const answer = await ask<{ fault: Fault | null; parameters?: { name: string; type: string }[] }>("/query/check/", given);
    return { fault: answer.fault, named: answer.parameters };
  } catch {
    return { fault: { message: "The server does not answer.", position: null } };
  }
}
