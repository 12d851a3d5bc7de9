// Colours and symbols of Sherlock's classes; told apart by whoever sees no red or green, too (Okabe & Ito 2008).

export type Shape = "circle" | "triangle" | "square" | "diamond" | "cross" | "plus" | "star" | "ring";

export interface ClassMark {
  name: string;
  label: string;
  light: string;
  dark: string;
  shape: Shape;
}

export const CLASSES: readonly ClassMark[] = [
  { name: "SN", label: "supernova", light: "#c2410c", dark: "#ff8a4c", shape: "star" },
  { name: "NT", label: "nuclear transient", light: "#a21caf", dark: "#f0a6ff", shape: "diamond" },
  { name: "ORPHAN", label: "nothing known there", light: "#a16207", dark: "#facc15", shape: "ring" },
  { name: "AGN", label: "active galaxy", light: "#047857", dark: "#4ade80", shape: "square" },
  { name: "CV", label: "cataclysmic variable", light: "#0e7490", dark: "#67e8f9", shape: "triangle" },
  { name: "VS", label: "variable star", light: "#1d4ed8", dark: "#7db4ff", shape: "circle" },
  { name: "BS", label: "bright star", light: "#57606a", dark: "#aab4be", shape: "plus" },
  { name: "UNCLEAR", label: "unclear", light: "#6b7280", dark: "#9aa4af", shape: "cross" },
];

const OTHER: ClassMark = { name: "", label: "no class", light: "#6b7280", dark: "#9aa4af", shape: "cross" };

/** The mark of a class; of one that is not known, that of none. */
export function markOf(name: string | null): ClassMark {
  return CLASSES.find((mark) => mark.name === name) ?? OTHER;
}

/** All marks, that of no class last. */
export const MARKS: readonly ClassMark[] = [...CLASSES, OTHER];

/** Adds the outline of a shape of this radius around a place to the path. */
export function trace(path: Path2D, shape: Shape, x: number, y: number, r: number): void {
  const corners = (count: number, first: number, inner = 0): void => {
    const all = inner ? count * 2 : count;
    for (let n = 0; n < all; n += 1) {
      const angle = first + (2 * Math.PI * n) / all;
      const radius = inner && n % 2 ? r * inner : r;
      const [a, b] = [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
      if (n) path.lineTo(a, b);
      else path.moveTo(a, b);
    }
    path.closePath();
  };
  const up = -Math.PI / 2;
  if (shape === "circle" || shape === "ring") {
    path.moveTo(x + r, y);
    path.arc(x, y, r, 0, 2 * Math.PI);
    if (shape === "ring") {
      path.moveTo(x + r * 0.55, y);
      path.arc(x, y, r * 0.55, 0, 2 * Math.PI, true);
    }
  } else if (shape === "triangle") corners(3, up);
  else if (shape === "diamond") corners(4, up);
  else if (shape === "square") corners(4, up + Math.PI / 4);
  else if (shape === "star") corners(5, up, 0.45);
  else corners(4, shape === "plus" ? up : up + Math.PI / 4, 0.3);
}
