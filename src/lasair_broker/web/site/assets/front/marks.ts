import { markOf, trace } from "../common/classes";
import { onTheme } from "../common/colour-switch";

const SIZE = 14;

/** The symbol of a class, as an element that follows the page's colours. */
export function symbol(name: string | null): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const mark = markOf(name);
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", `0 0 ${SIZE} ${SIZE}`);
  svg.setAttribute("class", "class-symbol");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", outline(mark.shape));
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  onTheme((theme) => path.setAttribute("fill", mark[theme]));
  return svg;
}

/** Puts its symbol into each element with a class. */
export function markClasses(): void {
  for (const element of document.querySelectorAll<HTMLElement>(".class-mark[data-class]")) {
    element.replaceChildren(symbol(element.dataset["class"] ?? ""));
  }
}

/** The outline of a shape as SVG writes it: what `trace` tells a path. */
function outline(shape: Parameters<typeof trace>[1]): string {
  const said: string[] = [];
  const at = (x: number, y: number): string => `${x.toFixed(2)} ${y.toFixed(2)}`;
  const pen = {
    moveTo: (x: number, y: number) => said.push(`M${at(x, y)}`),
    lineTo: (x: number, y: number) => said.push(`L${at(x, y)}`),
    closePath: () => said.push("Z"),
    arc: (x: number, y: number, r: number) =>
      said.push(`A${r} ${r} 0 1 1 ${at(x - r, y)}A${r} ${r} 0 1 1 ${at(x + r, y)}Z`),
  };
  trace(pen as unknown as Path2D, shape, SIZE / 2, SIZE / 2, SIZE / 2 - 1);
  return said.join("");
}
