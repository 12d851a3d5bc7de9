// The light curve, drawn with plotly.
import Plotly from "plotly.js-basic-dist-min";
import type { Config, Data, Layout, PlotlyHTMLElement } from "plotly.js";
import { BANDS, bandColour, DASHES, SYMBOLS, type Band } from "../common/bands";
import type { LightCurve } from "./data";
import { Converter, fitLines, isMagnitude, seriesOf, type Kind, type Point, type Series } from "./series";
import { shown } from "./photometry";
import type { State } from "./state";
import { mjdOf, utcOf } from "./time";

export type Theme = "light" | "dark";

const UNITS: Record<State["y"], string> = {
  difference: "difference flux (nJy)",
  total: "total flux (nJy)",
  magnitude: "AB magnitude of the difference",
  "total-magnitude": "total AB magnitude",
  absolute: "absolute AB magnitude",
};
const TIMES: Record<State["x"], string> = {
  mjd: "MJD (TAI)",
  utc: "UTC",
  days: "days since the first detection",
  rest: "rest-frame days since the first detection",
  phase: "phase",
};
const SIZES: Record<Kind, number> = { detections: 8, forced: 6, limits: 9, partners: 7, users: 9 };
export const CONFIG: Partial<Config> = { displayModeBar: false, responsive: true, doubleClick: "reset" };

/** The parts of a layout that all charts of the page share. */
export function layoutOf(theme: Theme): Partial<Layout> {
  const ink = theme === "dark" ? "#dbe3ec" : "#1d2733";
  const line = theme === "dark" ? "#2b3846" : "#d9e0e7";
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: theme === "dark" ? "#5b6b7c" : "#9aa7b4", automargin: true, exponentformat: "none" as const };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "inherit", color: ink, size: 12 },
    margin: { l: 60, r: 16, t: 8, b: 44 },
    xaxis: { ...axis },
    yaxis: { ...axis },
    hovermode: "closest",
    hoverlabel: { bgcolor: theme === "dark" ? "#18212c" : "#ffffff", bordercolor: line, font: { color: ink } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
  };
}

/** What plotly knows of its axes and does not tell otherwise: from data to pixels. */
interface DrawnAxis {
  d2p(value: number | string): number;
  _offset: number;
  _length: number;
}
interface Drawn {
  _fullLayout: { xaxis: DrawnAxis; yaxis: DrawnAxis };
}

export class Chart {
  converter: Converter;
  series: Series[] = [];
  private drawn: Point[] = [];
  private theme: Theme = "light";
  private drag: "zoom" | "select" = "zoom";
  private marked: Point | null = null;
  private before = "";

  constructor(
    readonly element: HTMLElement,
    private curve: LightCurve,
    private state: State,
  ) {
    this.converter = new Converter(curve, state);
  }

  /** The points of all series in order of time. */
  get points(): Point[] {
    return this.series.flatMap((series) => series.points).sort((a, b) => a.mjd - b.mjd || a.y - b.y);
  }

  set dragging(what: "zoom" | "select") {
    this.drag = what;
    void Plotly.relayout(this.element, { dragmode: what, selections: [] } as Partial<Layout>);
  }

  show(curve: LightCurve, state: State, theme: Theme): string {
    this.curve = curve;
    this.state = state;
    this.theme = theme;
    this.converter = new Converter(curve, state);
    const { obstacle } = this.converter;
    this.series = obstacle ? [] : seriesOf(curve, state, this.converter);
    if (this.marked) this.marked = this.points.find((p) => p.mjd === this.marked?.mjd && p.band === this.marked.band) ?? null;
    void Plotly.react(this.element, this.traces(), this.layout(), CONFIG);
    return obstacle || this.summary();
  }

  /** Marks a point, and brings it into view. */
  mark(point: Point): void {
    this.marked = point;
    void Plotly.react(this.element, this.traces(), this.layout(), CONFIG);
  }

  /** Everything, in the whole range. */
  reset(): void {
    void Plotly.relayout(this.element, { "xaxis.autorange": true, "yaxis.autorange": isMagnitude(this.state) ? "reversed" : true } as Partial<Layout>);
  }

  /** Narrows (less than 1) or widens the time axis about its middle, or about the point that is marked. */
  zoom(by: number): void {
    const range = this.range();
    if (!range) return;
    const [low, high] = range;
    const at = this.marked && this.state.x !== "utc" ? Number(this.marked.x) : (low + high) / 2;
    const middle = at >= low && at <= high ? at : (low + high) / 2;
    const half = ((high - low) / 2) * by;
    void Plotly.relayout(this.element, { "xaxis.range": [middle - half, middle + half] } as Partial<Layout>);
  }

  /** Moves along the time axis by a part of what is seen. */
  pan(by: number): void {
    const range = this.range();
    if (!range) return;
    const step = (range[1] - range[0]) * by;
    void Plotly.relayout(this.element, { "xaxis.range": [range[0] + step, range[1] + step] } as Partial<Layout>);
  }

  async save(name: string): Promise<void> {
    await Plotly.downloadImage(this.element, { format: "png", width: 1200, height: 700, filename: `${name}_light_curve` });
  }

  /** The MJD of a range of the axis, as plotly gives it. */
  mjdRange(range: [number | string, number | string]): [number, number] | null {
    if (this.state.x === "phase") return null;
    const mjd = range.map((x) => (this.state.x === "utc" ? mjdOf(x) : this.converter.mjd(Number(x))));
    return [Math.min(mjd[0]!, mjd[1]!), Math.max(mjd[0]!, mjd[1]!)];
  }

  /** The point to which data of a point belong that plotly gives with an event; null if it is none of a series. */
  pointOf(data: unknown): Point | null {
    return Array.isArray(data) ? (this.drawn[Number(data[2])] ?? null) : null;
  }

  /** Where a point is drawn, in pixels from the corner of the chart; null if it is out of view. */
  placeOf(point: Point): [number, number] | null {
    const axes = (this.element as unknown as Drawn)._fullLayout;
    const x = axes.xaxis.d2p(point.x);
    const y = axes.yaxis.d2p(point.y);
    const inside = x >= 0 && x <= axes.xaxis._length && y >= 0 && y <= axes.yaxis._length;
    return inside ? [x + axes.xaxis._offset, y + axes.yaxis._offset] : null;
  }

  private range(): [number, number] | null {
    const drawn = (this.element as PlotlyHTMLElement & { layout?: Layout }).layout?.xaxis.range as [number | string, number | string] | undefined;
    if (!drawn) return null;
    const value = (x: number | string): number => (typeof x === "number" ? x : Date.parse(`${x.replace(" ", "T")}Z`));
    return [value(drawn[0]), value(drawn[1])];
  }

  private summary(): string {
    const marks: Record<Kind, string> = { detections: "", forced: " (open symbols)", limits: " (arrows)", partners: " (open symbols)", users: " (crosses)" };
    const counts = this.series.map(({ points, name, kind }) => `${points.length} ${name}${marks[kind]}`);
    return counts.length ? `${counts.join(", ")}.` : "Nothing fits what is chosen.";
  }

  private colour(band: string): string {
    return bandColour(band, this.theme);
  }

  private traces(): Data[] {
    const traces: Data[] = [];
    this.drawn = [];
    for (const series of this.series) {
      const bands = [...new Set(series.points.map((point) => point.band))];
      bands.sort((a, b) => (BANDS.indexOf(a as Band) + 99) % 100 - ((BANDS.indexOf(b as Band) + 99) % 100));
      for (const band of bands) traces.push(this.trace(series, band));
    }
    if (this.state.fits && !this.converter.obstacle) {
      for (const line of fitLines(this.curve, this.state, this.converter)) {
        traces.push({
          type: "scatter",
          mode: "lines",
          name: line.name,
          x: line.x,
          y: line.y,
          line: { color: this.colour(line.band), width: 1.5, dash: (DASHES[line.band as Band] ?? "solid") as "solid" },
          hoverinfo: "name",
          showlegend: false,
        });
      }
    }
    if (this.marked) {
      const marker = { symbol: "circle-open", size: 18, color: this.theme === "dark" ? "#ffffff" : "#000000", line: { width: 2 } };
      traces.push({ type: "scatter", mode: "markers", x: [this.marked.x], y: [this.marked.y], marker, hoverinfo: "skip", showlegend: false });
    }
    return traces;
  }

  private trace(series: Series, band: string): Data {
    const points = series.points.filter((point) => point.band === band);
    const twice = this.state.x === "phase"; // two periods tell more than one
    const drawn = twice ? [...points, ...points.map((point) => ({ ...point, x: Number(point.x) + 1 }))] : points;
    const open = series.kind === "forced" || series.kind === "partners" ? "-open" : "";
    const symbol = (point: Point): string => {
      if (point.limit) return isMagnitude(this.state) || series.kind === "limits" || series.kind === "users" ? "arrow-down-open" : "triangle-down-open";
      return series.kind === "users" ? "x-thin-open" : `${SYMBOLS[band as Band] ?? "diamond"}${open}`;
    };
    const colour = this.colour(band);
    return {
      type: "scatter",
      mode: "markers",
      name: series.kind === "detections" ? band : `${band} ${series.name}`,
      x: drawn.map((point) => point.x),
      y: drawn.map((point) => point.y),
      error_y: {
        type: "data",
        array: drawn.map((point) => point.error ?? 0),
        visible: this.state.errors && series.kind !== "limits",
        color: colour,
        thickness: 1,
        width: 0,
      },
      marker: {
        color: colour,
        symbol: drawn.map(symbol),
        size: SIZES[series.kind],
        opacity: series.kind === "forced" ? 0.6 : series.kind === "limits" ? 0.45 : 1,
        line: { width: series.kind === "users" ? 2 : 1, color: colour },
      },
      customdata: drawn.map((point) => [point.id ?? "", point.mjd, this.drawn.push(point) - 1]),
      hoverinfo: "none", // `Tip` tells it, with the images
      showlegend: series.kind === "detections",
    } as Data;
  }

  /** What is told of a point that is pointed at, line by line. */
  told(point: Point): string[] {
    const error = point.error === null ? "" : ` ± ${shown(point.error, 2)}`;
    const unit = isMagnitude(this.state) ? "mag" : "nJy";
    const value = `${point.limit ? (isMagnitude(this.state) ? "fainter than " : "less than ") : ""}${shown(point.y, isMagnitude(this.state) ? 4 : 5)}${error} ${unit}`;
    return [`${point.band} ${value}`, `MJD ${point.mjd.toFixed(5)}`, `${utcOf(point.mjd).slice(0, 19)} UTC`, ...point.notes];
  }

  private layout(): Partial<Layout> {
    const base = layoutOf(this.theme);
    const magnitude = isMagnitude(this.state);
    const key = `${this.state.x} ${this.state.y} ${this.state.period ?? ""} ${this.state.redshift ?? ""}`;
    const fresh = key !== this.before;
    this.before = key;
    return {
      ...base,
      // What the viewer zoomed into stays until the axes are others.
      uirevision: key,
      selections: fresh ? [] : undefined,
      dragmode: this.drag,
      selectdirection: "h",
      xaxis: {
        ...base.xaxis,
        title: { text: TIMES[this.state.x] },
        type: this.state.x === "utc" ? "date" : "linear",
        tickformat: this.state.x === "utc" ? "" : this.state.x === "phase" ? ".1f" : "d",
        hoverformat: "",
        ...(this.state.x === "phase" ? { tickformat: ".2f", range: [0, 2] } : {}),
      },
      yaxis: { ...base.yaxis, title: { text: UNITS[this.state.y] }, autorange: magnitude ? "reversed" : true, zeroline: !magnitude },
      shapes: this.shapes(),
    } as Partial<Layout>;
  }

  private shapes(): Layout["shapes"] {
    const { from, to } = this.state;
    if (this.state.x === "phase" || (from === null && to === null)) return [];
    const times = this.points.map((point) => point.mjd);
    const low = from ?? Math.min(...times);
    const high = to ?? Math.max(...times);
    const fill = this.theme === "dark" ? "rgba(124,188,247,0.14)" : "rgba(11,92,173,0.08)";
    return [
      { type: "rect", xref: "x", yref: "paper", x0: this.converter.x(low), x1: this.converter.x(high), y0: 0, y1: 1, line: { width: 0 }, fillcolor: fill, layer: "below" },
    ] as Layout["shapes"];
  }
}
