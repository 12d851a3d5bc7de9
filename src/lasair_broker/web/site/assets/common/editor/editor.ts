// The editor of SQL: colours, completion from the schema, and faults underlined where they are.
import { type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { type Diagnostic, lintGutter, linter, setDiagnostics } from "@codemirror/lint";
import { SQLDialect, sql } from "@codemirror/lang-sql";
import { syntaxHighlighting } from "@codemirror/language";
import { keymap, placeholder } from "@codemirror/view";
import { Prec } from "@codemirror/state";
import { classHighlighter } from "@lezer/highlight";
import { EditorView, basicSetup } from "codemirror";
import { type LanguageFunction, type Table, meaning } from "./schema";

/** What is wrong with a text, and where, from 0; null if it is nowhere in particular. */
export interface Fault {
  message: string;
  position: number | null;
}

export interface Settings {
  area: HTMLTextAreaElement;
  functions: LanguageFunction[];
  /** Says what is wrong with a text; null: nothing. */
  check: (text: string) => Promise<Fault | null>;
  run: () => void;
}

const WORDS =
  "select distinct top from where and or not in is null between like ilike as on join inner left right full outer cross natural using " +
  "group order by having asc desc union except intersect all exists case when then else end with offset cast true false";
const TYPES = "smallint integer bigint real double precision char varchar timestamp";

/** The editor in place of a text area, which goes on to hold the text for the form; `judge` checks the text
 * once more, when what it depends on has changed. */
export function editorOf({ area, functions, check, run }: Settings): { view: EditorView; know: (tables: Table[]) => void; judge: () => void } {
  let known: Table[] = [];
  const dialect = SQLDialect.define({ keywords: WORDS, types: TYPES, builtin: functions.map((f) => f.name.toLowerCase()).join(" ") });
  const ofFunctions: Completion[] = functions.map((f) => ({
    label: /[a-z]/.test(f.name) ? f.name : f.name.toLowerCase(),
    type: "function",
    detail: f.call,
    info: f.meaning,
    apply: f.call.endsWith("()") ? f.call : `${/[a-z]/.test(f.name) ? f.name : f.name.toLowerCase()}(`,
  }));
  const complete = (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/[A-Za-z_]\w*(\.\w*)?$/);
    const dotted = context.matchBefore(/[A-Za-z_]\w*\.\w*$/);
    if (!word && !context.explicit) return null;
    const text = context.state.doc.toString();
    if (dotted) {
      const [source = ""] = dotted.text.split(".");
      const table = known.find((t) => t.name.toLowerCase() === sourceOf(text, source));
      return table ? { from: dotted.from + source.length + 1, options: columnsOf(table), validFor: /^\w*$/ } : null;
    }
    const used = known.filter((t) => new RegExp(`\\b${t.name}\\b`, "i").test(text));
    const options = [
      ...known.map((t): Completion => ({ label: t.name, type: "class", detail: "table", info: t.description })),
      ...(used.length ? used : known.filter((t) => t.name === "objects")).flatMap(columnsOf),
      ...ofFunctions,
      ...WORDS.split(" ").map((label): Completion => ({ label: label.toUpperCase(), type: "keyword", boost: -1 })),
    ];
    return { from: word?.from ?? context.pos, options, validFor: /^\w*$/ };
  };
  const view = new EditorView({
    doc: area.value,
    extensions: [
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }])),
      basicSetup,
      sql({ dialect, upperCaseKeywords: true }),
      dialect.language.data.of({ autocomplete: complete }),
      syntaxHighlighting(classHighlighter),
      placeholder("SELECT … FROM objects WHERE …"),
      linter((v) => diagnosed(v, check), { delay: 350 }),
      lintGutter(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": area.labels?.[0]?.textContent?.trim() ?? "Query", spellcheck: "false" }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        area.value = update.state.doc.toString();
        area.dispatchEvent(new Event("input", { bubbles: true }));
      }),
    ],
  });
  area.hidden = true;
  area.after(view.dom);
  for (const label of area.labels ?? []) label.addEventListener("click", () => view.focus());
  const judge = (): void => {
    void diagnosed(view, check).then((found) => view.dispatch(setDiagnostics(view.state, found)));
  };
  return { view, know: (tables) => (known = tables), judge };
}

/** Puts another text into the editor. */
export function replaceText(view: EditorView, text: string): void {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

function columnsOf(table: Table): Completion[] {
  return table.columns.map((c) => ({ label: c.name, type: "property", detail: c.unit ?? "", info: `${table.name}: ${meaning(c)}` }));
}

/** The table that is called `name` in a text. */
function sourceOf(text: string, name: string): string {
  const found = new RegExp(`\\b(\\w+)\\s+(?:as\\s+)?${name}\\b(?!\\s*\\.)`, "i").exec(text);
  const table = found?.[1]?.toLowerCase() ?? "";
  return !table || /^(from|join|select|where|and|on|or|by)$/.test(table) ? name.toLowerCase() : table;
}

async function diagnosed(view: EditorView, check: Settings["check"]): Promise<Diagnostic[]> {
  const text = view.state.doc.toString();
  const fault = await check(text);
  if (!fault || fault.position === null) return [];
  const from = Math.min(fault.position, text.length);
  const word = /^(?:'(?:[^']|'')*'?|"[^"]*"?|:?[\w.]+|\S)/.exec(text.slice(from));
  const to = Math.min(text.length, from + (word?.[0].length ?? 1));
  return [{ from: to > from ? from : Math.max(0, from - 1), to, severity: "error", message: fault.message }];
}
