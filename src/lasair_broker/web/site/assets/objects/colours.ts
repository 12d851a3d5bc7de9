// How the colour goes, from pairs of measurements in two bands near one another in time.
import Plotly from "plotly.js-basic-dist-min";
import type { Data, Layout } from "plotly.js";
import { bandColour, SYMBOLS } from "../common/bands";
import { CONFIG, layoutOf, type Theme } from "./chart";
import type { LightCurve } from "./data";
import { makeTable } from "./dom";
import { MAG_OF_RATIO, shown } from "./photometry";

export interface Colour {
  bands: string;
  mjd: number;
  colour: number;
  error: number;
}

interface Measured {
  mjd: number;
  flux: number;
  error: number;
}

const ORDER = "ugrizy";
const LEAST_SIGMA = 3;

/** For each measurement in the redder of two neighbouring bands the nearest in the bluer, at most `gap` days away. */
export function coloursOf(curve: LightCurve, gap: number, extinction: boolean): Colour[] {
  const measured = new Map<string, Measured[]>();
  for (const rows of [curve.diaSources, curve.diaForcedSources]) {
    rows.midpointMjdTai.forEach((mjd, i) => {
      const [band, flux, error] = [rows.band[i], rows.psfFlux[i], rows.psfFluxErr[i]];
      if (!band || flux == null || error == null || !(error > 0) || flux < LEAST_SIGMA * error) return;
      const own = measured.get(band) ?? [];
      // A detection and the forced measurement of the same exposure are one.
      if (!own.some((other) => Math.abs(other.mjd - mjd) < 1e-5)) own.push({ mjd, flux, error });
      measured.set(band, own);
    });
  }
  const bands = [...ORDER].filter((band) => measured.has(band));
  const found: Colour[] = [];
  for (let i = 0; i + 1 < bands.length; i++) {
    const [blue, red] = [bands[i]!, bands[i + 1]!];
    const [eBlue, eRed] = [curve.passbands[blue]?.extinction ?? 0, curve.passbands[red]?.extinction ?? 0];
    const dust = extinction && curve.ebv !== null ? (eBlue - eRed) * curve.ebv : 0;
    for (const one of measured.get(red)!) {
      const near = measured.get(blue)!.reduce((best, other) => (Math.abs(other.mjd - one.mjd) < Math.abs(best.mjd - one.mjd) ? other : best));
      if (Math.abs(near.mjd - one.mjd) > gap) continue;
      found.push({
        bands: `${blue}−${red}`,
        mjd: (near.mjd + one.mjd) / 2,
        colour: -2.5 * Math.log10(near.flux / one.flux) - dust,
        error: MAG_OF_RATIO * Math.hypot(near.error / near.flux, one.error / one.flux),
      });
    }
  }
  return found.sort((a, b) => a.mjd - b.mjd);
}

export function showColours(curve: LightCurve, theme: Theme): void {
  const [chart, place, form] = [document.getElementById("colour-chart"), document.getElementById("colour-table"), document.getElementById("colour-controls")];
  if (!chart || !place || !(form instanceof HTMLFormElement)) return;
  const given = new FormData(form);
  const found = coloursOf(curve, Number(given.get("gap")), given.has("extinction"));
  const kinds = [...new Set(found.map((one) => one.bands))].sort((a, b) => ORDER.indexOf(a[0]!) - ORDER.indexOf(b[0]!));
  const traces: Data[] = kinds.map((kind) => {
    const own = found.filter((one) => one.bands === kind);
    const band = kind.slice(-1);
    const colour = bandColour(band, theme);
    return {
      type: "scatter",
      mode: "lines+markers",
      name: kind,
      x: own.map((one) => one.mjd),
      y: own.map((one) => one.colour),
      error_y: { type: "data", array: own.map((one) => one.error), color: colour, thickness: 1, width: 0 },
      line: { width: 1, dash: "dot", color: colour },
      marker: { size: 7, color: colour, symbol: SYMBOLS[band as keyof typeof SYMBOLS] },
      hovertemplate: `${kind} = %{y:.2f}<br>MJD %{x:.3f}<extra></extra>`,
    };
  });
  const base = layoutOf(theme);
  const layout: Partial<Layout> = {
    ...base,
    xaxis: { ...base.xaxis, title: { text: "MJD (TAI)" }, tickformat: "d" },
    yaxis: { ...base.yaxis, title: { text: "colour (mag)" }, zeroline: false },
    annotations: found.length ? [] : [{ text: "No two bands were measured so near in time.", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }],
  };
  void Plotly.react(chart, traces, layout, CONFIG);
  const rows = found.map((one) => [one.bands, one.mjd.toFixed(4), shown(one.colour, 3), shown(one.error, 2)]);
  place.replaceChildren(makeTable("Colours", ["Colour", "MJD (TAI)", "mag", "±"], rows));
}

/** Where each detection lies about the mean of all, in arcseconds. */
export function showPositions(curve: LightCurve, theme: Theme): void {
  const [chart, text] = [document.getElementById("position-chart"), document.getElementById("position-summary")];
  if (!chart || !text) return;
  const rows = curve.diaSources;
  const places = rows.midpointMjdTai.flatMap((_, i) => {
    const [ra, decl, band] = [rows.ra[i], rows.decl[i], rows.band[i] ?? "?"];
    return ra == null || decl == null ? [] : [{ ra, decl, band, id: rows.diaSourceId[i]! }];
  });
  if (!places.length) {
    text.textContent = "The positions of the detections are not known.";
    return;
  }
  const at = places[0]!;
  const turned = (ra: number): number => ((ra - at.ra + 540) % 360) - 180; // across right ascension 0
  const mean = { ra: average(places.map((p) => turned(p.ra))), decl: average(places.map((p) => p.decl)) };
  const cosine = Math.cos((mean.decl * Math.PI) / 180);
  const offsets = places.map((p) => ({ ...p, east: 3600 * (turned(p.ra) - mean.ra) * cosine, north: 3600 * (p.decl - mean.decl) }));
  const traces: Data[] = [...ORDER]
    .filter((band) => offsets.some((one) => one.band === band))
    .map((band) => {
      const own = offsets.filter((one) => one.band === band);
      return {
        type: "scatter",
        mode: "markers",
        name: band,
        x: own.map((one) => one.east),
        y: own.map((one) => one.north),
        marker: { color: bandColour(band, theme), symbol: SYMBOLS[band as keyof typeof SYMBOLS], size: 7, opacity: 0.8 },
        hovertemplate: "%{x:.3f}″ east, %{y:.3f}″ north<extra></extra>",
      };
    });
  const base = layoutOf(theme);
  const layout: Partial<Layout> = {
    ...base,
    xaxis: { ...base.xaxis, title: { text: "east (″)" }, autorange: "reversed", zeroline: true },
    yaxis: { ...base.yaxis, title: { text: "north (″)" }, scaleanchor: "x", zeroline: true },
  };
  void Plotly.react(chart, traces, layout, CONFIG);
  const scatter = Math.sqrt(average(offsets.map((one) => one.east ** 2 + one.north ** 2)));
  text.textContent = `${offsets.length} positions; they scatter by ${shown(scatter, 2)}″ (root mean square distance from the mean).`;
}

function average(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
