// The form of a new watchmap: a circle is chosen on the sky, and shown there before it is made.
import { toast } from "./common/toast";

const WIDTH = 720;
const HEIGHT = 360;

/** The position (degrees) at a place of the drawing; undefined outside the sky. Mollweide's projection. */
function positionAt(x: number, y: number): { ra: number; decl: number } | undefined {
  const across = 1 - x / (WIDTH / 2);
  const up = 1 - y / (HEIGHT / 2);
  if (across * across + up * up >= 1) return undefined;
  const angle = Math.asin(up);
  const latitude = Math.asin((2 * angle + Math.sin(2 * angle)) / Math.PI);
  const longitude = (Math.PI * across) / Math.cos(angle);
  return { ra: ((longitude * 180) / Math.PI + 360) % 360, decl: (latitude * 180) / Math.PI };
}

function field(name: string): HTMLInputElement {
  const found = document.querySelector<HTMLInputElement>(`[name="${name}"]`);
  if (!found) throw new Error(`the form has no ${name}`);
  return found;
}

/** Shows the circle that the fields name, as the server would draw it. */
async function show(drawing: HTMLElement): Promise<void> {
  const given = ["ra", "decl", "radius"].map((name) => [name, field(name).value] as [string, string]);
  const drawn = drawing.querySelector(".all-sky-drawn");
  if (!drawn || given.some(([, value]) => value === "")) return;
  const response = await fetch(`${drawing.dataset["preview"]}?${new URLSearchParams(given)}`);
  if (!response.ok) {
    toast("There is no such circle: give degrees, and a radius up to 180.", "warning");
    return;
  }
  const svg = new DOMParser().parseFromString(await response.text(), "image/svg+xml");
  drawn.replaceChildren(...[...svg.documentElement.children].map((child) => document.importNode(child, true)));
}

function watchDrawing(drawing: HTMLElement): void {
  const svg = drawing.querySelector("svg");
  svg?.addEventListener("click", (event) => {
    const matrix = svg.getScreenCTM();
    if (!matrix) return;
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const position = positionAt(place.x, place.y);
    if (!position) return;
    field("ra").value = position.ra.toFixed(3);
    field("decl").value = position.decl.toFixed(3);
    void show(drawing);
  });
  for (const name of ["ra", "decl", "radius"]) field(name).addEventListener("change", () => void show(drawing));
  void show(drawing);
}

const drawing = document.getElementById("drawing");
if (drawing) watchDrawing(drawing);
