// Looking for periods: the server's periodogram, and its peaks to fold on.
import Plotly from "plotly.js-basic-dist-min";
import type { Data, Layout, PlotlyHTMLElement } from "plotly.js";
import { CONFIG, layoutOf, type Theme } from "./chart";
import { fetched } from "./data";
import { make, makeTable } from "./dom";
import { shown } from "./photometry";
import type { State } from "./state";

interface Peak {
  period: number;
  power: number;
  alias: boolean;
}

interface Periodogram {
  period: number[];
  power: number[];
  peaks: Peak[];
  band: string;
  false_alarm: number;
  points: number;
  shortest: number;
  longest: number;
}

export class Folding {
  private found: Periodogram | null = null;
  private chart: HTMLElement | null = null;

  constructor(
    private readonly place: HTMLElement,
    private readonly address: string,
    private readonly fold: (period: number) => void,
  ) {}

  /** Asks for the periodogram of what the form chooses: forced photometry if it is shown, else the detections. */
  async find(state: State, theme: Theme): Promise<void> {
    this.place.hidden = false;
    this.place.replaceChildren(make("p", { class: "text-secondary mb-0", role: "status" }, "Looking for periods…"));
    const asked = new URLSearchParams({ table: state.forced ? "diaForcedSources" : "diaSources", bands: [...state.bands].join("") });
    if (state.from !== null) asked.set("from", String(state.from));
    if (state.to !== null) asked.set("to", String(state.to));
    try {
      this.found = await fetched<Periodogram>(`${this.address}?${asked.toString()}`);
      this.show(theme);
    } catch (error) {
      this.found = null;
      this.place.replaceChildren(make("p", { class: "text-secondary mb-0", role: "status" }, (error as Error).message));
    }
  }

  /** Draws it anew in the page's colours. */
  paint(theme: Theme): void {
    if (this.found && this.chart) this.draw(this.found, this.chart, theme);
  }

  private show(theme: Theme): void {
    const { found } = this;
    if (!found) return;
    const rows = found.peaks.map((peak) => [shown(peak.period, 7), `${(100 * peak.power).toFixed(1)} %`, peak.alias ? "near the rhythm of the nights" : ""]);
    const table = makeTable("Periods that stand out", ["Period (d)", "Explains", "Beware", ""], rows.map((row) => [...row, ""]), 4);
    [...table.tBodies[0]!.rows].forEach((row, i) => {
      const button = make("button", { type: "button", class: "btn btn-sm btn-outline-primary" }, "Fold");
      button.setAttribute("aria-label", `Fold on ${rows[i]![0]} days`);
      button.addEventListener("click", () => this.fold(found.peaks[i]!.period));
      row.cells[3]!.append(button);
    });
    const chance = found.false_alarm < 1e-4 ? "less than 1 in 10 000" : `${shown(100 * found.false_alarm, 2)} %`;
    this.chart = make("div", { class: "chart small-chart", role: "img", "aria-label": "Periodogram; the table beside has its peaks" });
    const text = `${found.points} points, periods from ${shown(found.shortest, 3)} to ${shown(found.longest, 4)} days, a sine of its own in each band. Noise alone would give as high a peak in ${found.band} with a probability of ${chance}.`;
    this.place.replaceChildren(
      make("h3", {}, "Periods"),
      make("div", { class: "row g-3" }, make("div", { class: "col-lg-7" }, this.chart), make("div", { class: "col-lg-5" }, table)),
      make("p", { class: "small text-secondary mb-0" }, text),
    );
    this.draw(found, this.chart, theme);
    (this.chart as unknown as PlotlyHTMLElement).on("plotly_click", (event) => {
      const period = event.points[0]?.x;
      if (typeof period === "number") this.fold(period);
    });
  }

  private draw(found: Periodogram, chart: HTMLElement, theme: Theme): void {
    const base = layoutOf(theme);
    const line = { color: theme === "dark" ? "#7cbcf7" : "#0b5cad", width: 1 };
    const traces: Data[] = [{ type: "scatter", mode: "lines", x: found.period, y: found.power, line, hovertemplate: "%{x:.6g} d: %{y:.1%}<extra></extra>" }];
    const layout: Partial<Layout> = {
      ...base,
      xaxis: { ...base.xaxis, type: "log", title: { text: "period (d)" } },
      yaxis: { ...base.yaxis, title: { text: "share explained" }, tickformat: ".0%", rangemode: "tozero" },
      showlegend: false,
    };
    void Plotly.react(chart, traces, layout, CONFIG);
  }
}
