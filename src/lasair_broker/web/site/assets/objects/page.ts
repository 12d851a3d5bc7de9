// The light curve with its form: what one does to the other.
import type { PlotlyHTMLElement } from "plotly.js";
import { ask } from "../common/api";
import { onTheme } from "../common/colour-switch";
import htmx from "../common/htmx";
import { toast } from "../common/toast";
import { Chart, type Theme } from "./chart";
import { showColours, showPositions } from "./colours";
import { fetched, type LightCurve } from "./data";
import { give } from "./dom";
import { Folding } from "./folding";
import { showRange } from "./measuring";
import type { Point } from "./series";
import { fromAddress, readState, toAddress } from "./state";
import { utcOf } from "./time";
import { Tip, type Picture } from "./tip";

/** What the rest of the page has of detections. */
export interface Detections {
  /** Small images of one; none if it came without. */
  pictures(id: string): Picture[];
  /** Shows the images of one, and its row. */
  show(id: string): void;
}

export class LightCurvePage {
  private readonly form = this.find<HTMLFormElement>("#chart-controls");
  private readonly summary = this.find("#chart-summary");
  private readonly range = this.find("#range");
  private readonly chart: Chart;
  private readonly folding: Folding;
  private readonly tip: Tip;
  private theme: Theme = "light";
  private at = -1;

  private constructor(
    private readonly section: HTMLElement,
    private curve: LightCurve,
    private readonly detections: Detections,
  ) {
    const redshift = this.form.elements.namedItem("z") as HTMLInputElement;
    if (curve.redshift !== null) redshift.placeholder = curve.redshift.toPrecision(4);
    fromAddress(this.form);
    this.chart = new Chart(this.find("#chart"), curve, readState(this.form));
    this.tip = new Tip(this.chart.element.parentElement!, (id) => detections.pictures(id));
    this.folding = new Folding(this.find("#periodogram"), section.dataset["periods"]!, (period) => this.fold(period));
    onTheme((theme) => {
      this.theme = theme;
      this.draw();
      this.folding.paint(theme);
      this.drawBeside();
    });
    this.watchForm();
    this.watchChart();
    this.watchButtons();
    document.getElementById("colour-controls")?.addEventListener("change", () => this.drawBeside());
    document.body.addEventListener("lasair:points", () => void this.reload());
  }

  static async open(section: HTMLElement, detections: Detections): Promise<LightCurvePage | null> {
    try {
      return new LightCurvePage(section, await fetched<LightCurve>(section.dataset["source"]!), detections);
    } catch (error) {
      section.querySelector("#chart-summary")!.textContent = `The light curve cannot be shown: ${(error as Error).message}`;
      return null;
    }
  }

  /** How many detections are newer than one. */
  newerThan(id: string): number {
    const { diaSourceId, midpointMjdTai } = this.curve.diaSources;
    const mjd = midpointMjdTai[diaSourceId.indexOf(id)] ?? Infinity;
    return midpointMjdTai.filter((other) => other > mjd).length;
  }

  private find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return document.querySelector<T>(selector)!;
  }

  private async reload(): Promise<void> {
    this.curve = await fetched<LightCurve>(this.section.dataset["source"]!);
    this.draw();
  }

  private draw(): void {
    this.tip.hide();
    const state = readState(this.form);
    this.find("#c-reliability-value").textContent = state.reliability.toFixed(2);
    this.summary.textContent = this.chart.show(this.curve, state, this.theme);
    showRange(this.range, this.chart.series, state);
  }

  private drawBeside(): void {
    showColours(this.curve, this.theme);
    showPositions(this.curve, this.theme);
  }

  private changed(): void {
    toAddress(this.form);
    this.draw();
  }

  private set(name: string, value: string): void {
    (this.form.elements.namedItem(name) as HTMLInputElement).value = value;
  }

  private fold(period: number): void {
    this.set("period", period.toPrecision(8));
    this.set("x", "phase");
    this.changed();
    this.section.scrollIntoView({ block: "start" });
  }

  private watchForm(): void {
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.changed()));
    for (const button of this.form.querySelectorAll<HTMLButtonElement>("[data-bands]")) {
      button.addEventListener("click", () => {
        for (const box of this.form.querySelectorAll<HTMLInputElement>("[name=band]")) box.checked = button.dataset["bands"] === "all";
        this.changed();
      });
    }
    for (const button of this.form.querySelectorAll<HTMLButtonElement>("[data-period]")) {
      button.addEventListener("click", () => {
        const { period } = readState(this.form);
        if (period !== null) this.fold(period * Number(button.dataset["period"]));
      });
    }
    this.form.querySelector<HTMLElement>("[data-keep-period]")?.addEventListener("click", (event) => {
      void this.keep((event.currentTarget as HTMLElement).dataset["keepPeriod"]!);
    });
    document.addEventListener("click", (event) => {
      const link = (event.target as Element).closest<HTMLElement>("[data-fold]");
      if (!link) return;
      event.preventDefault();
      this.fold(Number(link.dataset["fold"]));
    });
    this.form.querySelector("[data-find-periods]")!.addEventListener("click", () => void this.folding.find(readState(this.form), this.theme));
  }

  /** Keeps the period as a comment of one's own, beside the others. */
  private async keep(address: string): Promise<void> {
    const { period } = readState(this.form);
    if (period === null) {
      toast("Give a period, or find one, and fold on it.", "warning");
      return;
    }
    try {
      await ask(address, { text: `Period ${period.toPrecision(8)} d`, period });
      const panel = this.find("#panel-comments");
      await htmx.ajax("get", panel.getAttribute("hx-get")!, { target: panel, swap: "innerHTML" });
      toast("The period is kept among your comments.");
    } catch (error) {
      toast((error as Error).message, "danger");
    }
  }

  private watchChart(): void {
    const element = this.chart.element;
    const plot = element as unknown as PlotlyHTMLElement;
    plot.on("plotly_click", (event) => {
      const data = event.points[0]?.customdata as unknown as [string, number] | undefined;
      if (data?.[0]) this.detections.show(data[0]);
    });
    plot.on("plotly_hover", (event) => {
      const point = this.chart.pointOf(event.points[0]?.customdata);
      // A folded point is drawn twice: what is pointed at is there.
      if (point) this.tell({ ...point, x: event.points[0]!.x as number | string });
    });
    plot.on("plotly_unhover", () => this.tip.hide());
    plot.on("plotly_relayout", () => this.tip.hide());
    element.addEventListener("blur", () => this.tip.hide());
    plot.on("plotly_selected", (event) => {
      const range = event?.range?.x as [number | string, number | string] | undefined;
      const mjd = range ? this.chart.mjdRange(range) : null;
      if (!mjd) return;
      this.set("from", mjd[0].toFixed(4));
      this.set("to", mjd[1].toFixed(4));
      this.changed();
    });
    element.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      ArrowRight: () => (event.shiftKey ? this.chart.pan(0.2) : this.step(1)),
      ArrowLeft: () => (event.shiftKey ? this.chart.pan(-0.2) : this.step(-1)),
      Home: () => this.step(-Infinity),
      End: () => this.step(Infinity),
      "+": () => this.chart.zoom(0.5),
      "=": () => this.chart.zoom(0.5),
      "-": () => this.chart.zoom(2),
      "0": () => this.chart.reset(),
      Enter: () => {
        const id = this.chart.points[this.at]?.id;
        if (id) this.detections.show(id);
      },
      Escape: () => this.tip.hide(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Goes to another point, and says what it is. */
  private step(by: number): void {
    const points = this.chart.points;
    if (!points.length) return;
    const from = this.at >= 0 ? this.at : by > 0 ? -1 : points.length;
    this.at = Math.min(points.length - 1, Math.max(0, from + by));
    const point = points[this.at]!;
    this.chart.mark(point);
    this.tell(point);
    this.summary.textContent = `${this.at + 1} of ${points.length}: ${this.chart.told(point).join("; ")}`;
  }

  /** Tells of a point beside it, if it is in view. */
  private tell(point: Point): void {
    const place = this.chart.placeOf(point);
    if (!place) return this.tip.hide();
    const { offsetLeft, offsetTop } = this.chart.element;
    this.tip.show(this.chart.told(point), point.id, place[0] + offsetLeft, place[1] + offsetTop);
  }

  private watchButtons(): void {
    for (const button of this.section.querySelectorAll<HTMLButtonElement>("[data-drag]")) {
      button.addEventListener("click", () => {
        this.chart.dragging = button.dataset["drag"] as "zoom" | "select";
        for (const other of this.section.querySelectorAll<HTMLButtonElement>("[data-drag]")) {
          other.classList.toggle("active", other === button);
          other.setAttribute("aria-pressed", String(other === button));
        }
      });
    }
    this.section.querySelector("[data-reset]")!.addEventListener("click", () => this.chart.reset());
    this.section.querySelector('[data-save="png"]')!.addEventListener("click", () => void this.chart.save(this.curve.objectName));
    this.section.querySelector('[data-save="csv"]')!.addEventListener("click", () => this.saveDrawn());
  }

  private saveDrawn(): void {
    const state = readState(this.form);
    const lines = [["series", "band", "mjd_tai", "utc", "x", state.y, "error", "limit", "diaSourceId"].join(",")];
    for (const { kind, name, points } of this.chart.series) {
      for (const p of points) {
        const series = `${kind}${kind === "users" || kind === "partners" ? ` ${name}` : ""}`.replaceAll('"', '""');
        lines.push([`"${series}"`, p.band, p.mjd, utcOf(p.mjd), p.x, p.y, p.error ?? "", p.limit ? 1 : 0, p.id ?? ""].join(","));
      }
    }
    give(`${this.curve.objectName}_drawn.csv`, "text/csv", `${lines.join("\r\n")}\r\n`);
  }
}
