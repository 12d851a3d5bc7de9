// A query as a form; the server turns one into the other, so that both say the same.
import { ask } from "../api";
import type { Choices, Table } from "./schema";

export interface FormColumn {
  source: string;
  name: string;
  magnitude: boolean;
  called: string;
}

export interface FormJoin {
  kind: string;
  which: string;
  name: string;
  optional: boolean;
}

/** A parameter in place of a value. */
export interface FormParameter {
  parameter: string;
}

export type Value = number | string | FormParameter;

export interface FormCondition {
  column: FormColumn;
  operator: string;
  values: Value[];
}

export interface QueryForm {
  columns: FormColumn[];
  joins: FormJoin[];
  conditions: FormCondition[];
  order: FormColumn | null;
  descending: boolean;
  most: number | null;
}

/** Why a text has no form, or a form no text, and where in the text. */
export class NoForm extends Error {
  constructor(
    message: string,
    readonly position: number | null,
  ) {
    super(message);
  }
}

interface Answer {
  adql: string;
  form: QueryForm;
  fault?: { message: string; position: number | null };
}

async function bothWays(given: object): Promise<Answer> {
  const answer = await ask<Answer>("/query/form/", given);
  if (answer.fault) throw new NoForm(answer.fault.message, answer.fault.position);
  return answer;
}

/** The form that says a text; throws NoForm if there is none. */
export async function formOf(adql: string): Promise<QueryForm> {
  return (await bothWays({ adql })).form;
}

/** The text that a form says; throws NoForm if it says nothing yet. */
export async function textOf(form: QueryForm): Promise<string> {
  return (await bothWays({ form })).adql;
}

/** What objects can be joined with: the table of each kind, and how a join of it is called. */
export const JOINS: Record<string, { label: string; table: string; list?: "watchlists" | "watchmaps" | "annotators" }> = {
  sherlock: { label: "Sherlock's class and host", table: "sherlock_classifications" },
  tns: { label: "Transient Name Server", table: "crossmatch_tns" },
  classifications: { label: "class probabilities", table: "classifications" },
  watchlist: { label: "watchlist", table: "watchlist_hits", list: "watchlists" },
  area: { label: "watchmap", table: "area_hits", list: "watchmaps" },
  annotator: { label: "annotator", table: "annotations", list: "annotators" },
};

/** The name that a new join gets, and that columns are called by. */
export function nameOf(kind: string, which: string, taken: string[]): string {
  const plain = { watchlist: `wl${which}`, area: `ar${which}`, annotator: which }[kind] ?? JOINS[kind]?.table ?? kind;
  let name = plain;
  for (let n = 2; taken.includes(name); n++) name = `${plain}_${n}`;
  return name;
}

/** Each column that a form can name, as people write it, and what it is. */
export function namesOf(form: QueryForm, tables: Table[]): Map<string, { column: FormColumn; unit: string; numeric: boolean; about: string }> {
  const found = new Map<string, { column: FormColumn; unit: string; numeric: boolean; about: string }>();
  const sources = [{ name: "objects", table: "objects" }, ...form.joins.map((j) => ({ name: j.name, table: JOINS[j.kind]?.table ?? "" }))];
  for (const { name, table } of sources) {
    for (const column of tables.find((t) => t.name === table)?.columns ?? []) {
      const numeric = ["short", "int", "long", "float", "double"].includes(column.datatype);
      found.set(`${name}.${column.name}`, {
        column: { source: name, name: column.name, magnitude: false, called: "" },
        unit: column.unit ?? "",
        numeric,
        about: column.description,
      });
    }
  }
  return found;
}

export function choicesFor(kind: string, choices: Choices): { which: string; name: string }[] {
  const list = JOINS[kind]?.list;
  return list ? choices[list] : [];
}
