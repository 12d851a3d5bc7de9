// The tables and columns that a query may name, as the API describes them.
import { ask } from "../api";

export interface Column {
  name: string;
  datatype: string;
  unit: string | null;
  ucd: string | null;
  description: string;
}

export interface Table {
  name: string;
  description: string;
  columns: Column[];
}

/** A function of the language, as the page brings it. */
export interface LanguageFunction {
  name: string;
  call: string;
  meaning: string;
}

export interface Choice {
  which: string;
  name: string;
}

/** What the page's view gives the editor. */
export interface Choices {
  watchlists: Choice[];
  watchmaps: Choice[];
  annotators: Choice[];
  functions: LanguageFunction[];
}

let loaded: Promise<Table[]> | undefined;

/** Every table, asked once for a page. */
export function tables(): Promise<Table[]> {
  loaded ??= ask<{ tables: Table[] }>("/api/v1/tables/").then((answer) => answer.tables);
  return loaded;
}

/** The words of a column's meaning, for people. */
export function meaning(column: Column): string {
  return column.unit ? `${column.description} [${column.unit}]` : column.description;
}
