import { MARKS, markOf, trace } from "../common/classes";
import { onTheme } from "../common/colour-switch";
import { toast } from "../common/toast";
import { symbol } from "./marks";
import { mollweide } from "./projection";

/** An object as the map has it: x and y from -1 to 1, times in MJD TAI. */
export interface SkyObject {
  diaObjectId: string;
  objectName: string;
  classification: string | null;
  firstDiaSourceMjdTai: number | null;
  lastDiaSourceMjdTai: number;
  nDiaSources: number | null;
  x: number;
  y: number;
  /** When it came in while the page was open (ms, of the page's clock). */
  came?: number;
}

interface Columns {
  diaObjectId: string[];
  objectName: string[];
  ra: number[];
  decl: number[];
  classification: (string | null)[];
  firstDiaSourceMjdTai: (number | null)[];
  lastDiaSourceMjdTai: number[];
  nDiaSources: (number | null)[];
}

const MOST = 4000;
const REACH = 14;
const GLOW_MS = 6000;
/** Of the picture beneath: it has this margin around an ellipse of 720 by 360. */
const [MARGIN, WIDTH, HEIGHT] = [6, 720, 360];
const WHOLE: View = { x: -MARGIN, y: -MARGIN, width: WIDTH + 2 * MARGIN, height: HEIGHT + 2 * MARGIN };
const LEAST_WIDTH = 6;

/** The part of the picture that is shown, in its own units. */
interface View {
  x: number;
  y: number;
  width: number;
  height: number;
}

export class SkyMap {
  private readonly canvas: HTMLCanvasElement;
  private readonly tip: HTMLElement;
  private readonly told: HTMLElement | null;
  private readonly hidden = new Set<string>();
  private readonly counts = new Map<string, HTMLElement>();
  private objects: SkyObject[] = [];
  private newest = 0;
  private chosen: SkyObject | null = null;
  private theme: "light" | "dark" = "light";
  private glowing = false;
  private view = WHOLE;

  constructor(private readonly place: HTMLElement) {
    this.canvas = place.querySelector("canvas")!;
    this.tip = place.querySelector<HTMLElement>("#sky-tip")!;
    this.told = document.querySelector("#sky-told");
    this.legend();
    new ResizeObserver(() => this.draw()).observe(place);
    onTheme((theme) => {
      this.theme = theme;
      this.draw();
    });
    this.canvas.addEventListener("pointermove", (event) => this.choose(this.at(event)));
    this.canvas.addEventListener("pointerleave", () => this.choose(null));
    this.canvas.addEventListener("click", (event) => this.open(this.at(event)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => this.choose(null));
  }

  /** Asks for the objects of the last days, and shows them. */
  async load(days?: number): Promise<void> {
    const query = days ? `?days=${days}` : "";
    const response = await fetch(`${this.place.dataset["source"]}${query}`).catch(() => null);
    if (!response?.ok) return toast("The objects of the map could not be read. Try again in a moment.", "danger");
    const answer = (await response.json()) as { newest: number | null; objects: Columns };
    const given = answer.objects;
    this.newest = answer.newest ?? 0;
    this.objects = given.diaObjectId.map((diaObjectId, n) => {
      const [x, y] = mollweide(given.ra[n]!, given.decl[n]!);
      return {
        diaObjectId,
        objectName: given.objectName[n]!,
        classification: given.classification[n] ?? null,
        firstDiaSourceMjdTai: given.firstDiaSourceMjdTai[n] ?? null,
        lastDiaSourceMjdTai: given.lastDiaSourceMjdTai[n]!,
        nDiaSources: given.nDiaSources[n] ?? null,
        x,
        y,
      };
    });
    this.count();
    this.draw();
  }

  /** Adds what came in; an object that is there already moves to the front. */
  add(fresh: SkyObject[]): void {
    const ids = new Set(fresh.map((object) => object.diaObjectId));
    const now = performance.now();
    const added = fresh.map((object) => ({ ...object, came: now }));
    this.objects = [...added, ...this.objects.filter((object) => !ids.has(object.diaObjectId))].slice(0, MOST);
    this.newest = Math.max(this.newest, ...fresh.map((object) => object.lastDiaSourceMjdTai));
    this.count();
    this.glow();
  }

  private legend(): void {
    const place = document.querySelector<HTMLElement>("#sky-classes");
    for (const mark of MARKS) {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.className = "form-check-input";
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(mark.name);
        else this.hidden.add(mark.name);
        this.draw();
      });
      const count = document.createElement("span");
      count.className = "text-secondary";
      this.counts.set(mark.name, count);
      label.title = mark.label;
      label.append(box, symbol(mark.name), ` ${mark.name || mark.label} `, count);
      place?.append(label);
    }
  }

  private count(): void {
    const numbers = new Map<string, number>();
    for (const object of this.objects) {
      const name = markOf(object.classification).name;
      numbers.set(name, (numbers.get(name) ?? 0) + 1);
    }
    for (const [name, element] of this.counts) {
      const number = numbers.get(name) ?? 0;
      element.textContent = String(number);
      element.parentElement!.hidden = !number;
    }
  }

  private shown(): SkyObject[] {
    return this.objects.filter((object) => !this.hidden.has(markOf(object.classification).name));
  }

  /** Shows the part of the sky where the objects are, or all of it. */
  zoom(near: boolean): void {
    const shown = this.shown();
    this.view = near && shown.length ? around(shown.map(inPicture)) : WHOLE;
    const { x, y, width, height } = this.view;
    const ground = this.place.querySelector<SVGElement>(".sky-ground");
    ground?.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    ground?.style.setProperty("--line", String(width / WHOLE.width));
    this.draw();
  }

  /** Where an object is in pixels of the page. */
  private pixels(object: SkyObject): [number, number] {
    const scale = this.canvas.clientWidth / this.view.width;
    const [x, y] = inPicture(object);
    return [(x - this.view.x) * scale, (y - this.view.y) * scale];
  }

  private draw(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const pen = this.canvas.getContext("2d");
    if (!pen || !width) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const size = Math.max(2.4, Math.min(4, width / 220));
    const now = performance.now();
    // The newest on top; those alike are filled together.
    const paths = new Map<string, { path: Path2D; colour: string; alpha: number }>();
    for (const object of this.shown().reverse()) {
      const mark = markOf(object.classification);
      const alpha = this.strength(object);
      const key = `${mark.name} ${alpha}`;
      let found = paths.get(key);
      if (!found) paths.set(key, (found = { path: new Path2D(), colour: mark[this.theme], alpha }));
      const [x, y] = this.pixels(object);
      trace(found.path, mark.shape, x, y, size * (mark.shape === "star" ? 1.35 : 1));
    }
    for (const { path, colour, alpha } of [...paths.values()].sort((a, b) => a.alpha - b.alpha)) {
      pen.globalAlpha = alpha;
      pen.fillStyle = colour;
      pen.fill(path, "evenodd");
    }
    pen.lineWidth = 1.6;
    for (const object of this.shown()) {
      const age = object.came === undefined ? GLOW_MS : now - object.came;
      if (age >= GLOW_MS) continue;
      this.ring(pen, object, size + 3 + (7 * age) / GLOW_MS, 1 - age / GLOW_MS);
    }
    if (this.chosen) this.ring(pen, this.chosen, size + 5, 1);
  }

  private ring(pen: CanvasRenderingContext2D, object: SkyObject, radius: number, alpha: number): void {
    const [x, y] = this.pixels(object);
    pen.globalAlpha = alpha;
    pen.strokeStyle = markOf(object.classification)[this.theme];
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** How strongly an object is drawn, by the days since it was first seen. */
  private strength(object: SkyObject): number {
    const age = this.newest - (object.firstDiaSourceMjdTai ?? 0);
    return age < 1 ? 1 : age < 7 ? 0.8 : age < 30 ? 0.6 : 0.38;
  }

  private glow(): void {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.draw();
    if (this.glowing || still) return;
    this.glowing = true;
    const step = (): void => {
      this.draw();
      const now = performance.now();
      this.glowing = this.objects.some((object) => object.came !== undefined && now - object.came < GLOW_MS);
      if (this.glowing) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  private at(event: MouseEvent): SkyObject | null {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best: SkyObject | null = null;
    let least = REACH;
    for (const object of this.shown()) {
      const [a, b] = this.pixels(object);
      const distance = Math.hypot(a - x, b - y);
      if (distance < least) [best, least] = [object, distance];
    }
    return best;
  }

  private choose(object: SkyObject | null): void {
    if (object === this.chosen) return;
    this.chosen = object;
    this.canvas.style.cursor = object ? "pointer" : "";
    this.tip.hidden = !object;
    if (object) {
      const [x, y] = this.pixels(object);
      const mark = markOf(object.classification);
      const seen = object.nDiaSources === null ? "" : `, seen ${object.nDiaSources} times`;
      const words = `${object.objectName}: ${mark.label}${seen}`;
      this.tip.textContent = words;
      this.tip.style.left = `${Math.min(x, this.canvas.clientWidth - 160)}px`;
      this.tip.style.top = `${y + 14}px`;
      if (this.told) this.told.textContent = words;
    }
    this.draw();
  }

  private open(object: SkyObject | null): void {
    if (object) location.assign((this.place.dataset["object"] ?? "").replace("KEY", object.diaObjectId));
  }

  /** Arrow keys go to the next object in their direction; Home to the newest. */
  private key(event: KeyboardEvent): void {
    const all = this.shown();
    const first = all[0];
    if (!first) return;
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const step = steps[event.key];
    if (event.key === "Enter") this.open(this.chosen);
    else if (event.key === "Escape") this.choose(null);
    else if (event.key === "Home" || (step && !this.chosen)) this.choose(first);
    else if (step && this.chosen) this.choose(this.beside(this.chosen, step, all));
    else return;
    event.preventDefault();
  }

  private beside(from: SkyObject, [dx, dy]: [number, number], all: SkyObject[]): SkyObject {
    const [x, y] = this.pixels(from);
    let best = from;
    let least = Infinity;
    for (const object of all) {
      const [a, b] = this.pixels(object);
      const along = (a - x) * dx + (b - y) * dy;
      const across = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
      const cost = along + 2 * across;
      if (along > 0.5 && across <= 2 * along && cost < least) [best, least] = [object, cost];
    }
    return best;
  }
}

/** Where an object is in the picture beneath. */
function inPicture(object: SkyObject): [number, number] {
  return [(WIDTH / 2) * (1 + object.x), (HEIGHT / 2) * (1 - object.y)];
}

/** The view of the picture's shape that has all places, and a little around them. */
function around(places: [number, number][]): View {
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const shape = WHOLE.width / WHOLE.height;
  const width = Math.min(WHOLE.width, 1.15 * Math.max(right - left, (bottom - top) * shape, LEAST_WIDTH));
  const height = width / shape;
  return { x: (left + right - width) / 2, y: (top + bottom - height) / 2, width, height };
}
