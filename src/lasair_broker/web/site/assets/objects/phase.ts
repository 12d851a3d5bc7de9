// The phase curve of a body of the solar system.
import Plotly from "plotly.js-basic-dist-min";
import type { Data, Layout } from "plotly.js";
import { bandColour, BANDS, SYMBOLS } from "../common/bands";
import { pageData } from "../common/data";
import { CONFIG, layoutOf, type Theme } from "./chart";

interface Seen {
  phase: number;
  magnitude: number;
  error: number | null;
  band: string | null;
  mjd: number;
}

export function showPhaseCurve(place: HTMLElement, theme: Theme): void {
  const points = pageData<Seen[]>("phase-points");
  const traces: Data[] = BANDS.filter((band) => points.some((point) => point.band === band)).map((band) => {
    const own = points.filter((point) => point.band === band);
    const colour = bandColour(band, theme);
    return {
      type: "scatter",
      mode: "markers",
      name: band,
      x: own.map((point) => point.phase),
      y: own.map((point) => point.magnitude),
      error_y: { type: "data", array: own.map((point) => point.error ?? 0), color: colour, thickness: 1, width: 0 },
      marker: { color: colour, symbol: SYMBOLS[band], size: 8 },
      text: own.map((point) => `MJD ${point.mjd.toFixed(4)}`),
      hovertemplate: "%{y:.2f} mag at %{x:.2f}°<br>%{text}<extra></extra>",
    };
  });
  const base = layoutOf(theme);
  const layout: Partial<Layout> = {
    ...base,
    xaxis: { ...base.xaxis, title: { text: "phase angle (°)" } },
    yaxis: { ...base.yaxis, title: { text: "reduced AB magnitude" }, autorange: "reversed", zeroline: false },
  };
  void Plotly.react(place, traces, layout, CONFIG);
}
