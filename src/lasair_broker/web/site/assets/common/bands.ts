// Colours, symbols and dashes of LSST's bands as Rubin publishes them (RTN-045), for light and dark pages.

export type Band = "u" | "g" | "r" | "i" | "z" | "y";
export const BANDS: readonly Band[] = ["u", "g", "r", "i", "z", "y"];

const COLOURS: Record<"light" | "dark", Record<Band, string>> = {
  light: { u: "#1600ea", g: "#31de1f", r: "#b52626", i: "#370201", z: "#ba52ff", y: "#61a2b3" },
  dark: { u: "#3eb7ff", g: "#30c39f", r: "#ff7e00", i: "#2af5ff", z: "#a7f9c1", y: "#fdc900" },
};

/** Names of plotly's symbols. */
export const SYMBOLS: Record<Band, string> = {
  u: "circle",
  g: "triangle-up",
  r: "triangle-down",
  i: "square",
  z: "star",
  y: "pentagon",
};

/** Names of plotly's dashes. */
export const DASHES: Record<Band, string> = {
  u: "dash",
  g: "dot",
  r: "solid",
  i: "dashdot",
  z: "longdashdot",
  y: "longdash",
};

/** The colour of a band on a page of this theme; grey if it is none of LSST's. */
export function bandColour(band: string, theme: "light" | "dark"): string {
  return COLOURS[theme][band as Band] ?? "#808080";
}
