// Laying out a query: a clause a line, a condition a line, words of the language in capitals.

const TOKEN = /--[^\n]*|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\d[\w.]*(?:[eE][+-]?\d+)?|:?[A-Za-z_]\w*|<>|<=|>=|!=|\|\||\S/g;
const WORDS = new Set(
  ("SELECT DISTINCT TOP FROM WHERE AND OR NOT IN IS NULL BETWEEN LIKE ILIKE AS ON JOIN INNER LEFT RIGHT FULL OUTER CROSS NATURAL " +
    "USING GROUP ORDER BY HAVING ASC DESC UNION EXCEPT INTERSECT ALL EXISTS CASE WHEN THEN ELSE END WITH OFFSET CAST TRUE FALSE").split(" "),
);
const CLAUSES = new Set(["FROM", "WHERE", "GROUP", "ORDER", "HAVING", "UNION", "EXCEPT", "INTERSECT", "OFFSET"]);
const JOINS = new Set(["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"]);
const LONGEST_LINE = 96;

/** The text laid out anew; what it says stays the same. */
export function formatted(text: string): string {
  const lines: string[] = [];
  let line = "";
  let previous = "";
  let between = false;
  const opened: { query: boolean; indent: number }[] = [{ query: true, indent: 0 }];
  const here = () => opened[opened.length - 1]!;
  const breakLine = (more = 0): void => {
    if (line.trim()) lines.push(line.trimEnd());
    line = " ".repeat(here().indent + more);
  };
  const tokens = text.match(TOKEN) ?? [];
  tokens.forEach((token, place) => {
    const upper = token.toUpperCase();
    const afterDot = previous === ".";
    const word = !afterDot && WORDS.has(upper) ? upper : "";
    if (here().query && word) {
      const begins = CLAUSES.has(word) || (JOINS.has(word) && !JOINS.has(previous) && previous !== "OUTER");
      if (begins || (word === "SELECT" && previous !== "" && previous !== "(")) breakLine();
      else if ((word === "AND" && !between) || word === "OR") breakLine(2);
    }
    if (word === "BETWEEN") between = true;
    else if (word === "AND") between = false;
    const written = word || token;
    const glued =
      line.trim() === "" || token === "," || token === ")" || token === "." || afterDot || previous === "(" ||
      (token === "(" && /^[A-Za-z_]\w*$/.test(previous) && !WORDS.has(previous)) || token === ";" || sign(previous, tokens[place - 2]);
    line += (glued ? "" : " ") + written;
    if (token.startsWith("--")) breakLine(2);
    if (token === "(") {
      const query = /^(select|with)$/i.test(tokens[place + 1] ?? "");
      opened.push({ query, indent: query ? here().indent + 4 : here().indent });
      if (query) breakLine();
    } else if (token === ")" && opened.length > 1) {
      opened.pop();
    }
    if (token === "," && line.length > LONGEST_LINE) breakLine(7);
    previous = written;
  });
  breakLine();
  return lines.join("\n");
}

/** Whether the token before is the sign of a number, rather than a difference. */
function sign(previous: string, before: string | undefined): boolean {
  return (previous === "-" || previous === "+") && (before === undefined || /^[(,=<>+\-*/]|[=<>]$/.test(before) || WORDS.has(before.toUpperCase()));
}
