// What the points of a range of time come to, band by band.
import { BANDS, type Band } from "../common/bands";
import { make, makeTable } from "./dom";
import { shown, statistics } from "./photometry";
import { isMagnitude, type Series } from "./series";
import type { State } from "./state";

/** Shows the statistics of the range that the form says, or hides their place if it says none. */
export function showRange(place: HTMLElement, series: Series[], state: State): void {
  place.replaceChildren();
  place.hidden = state.from === null && state.to === null;
  if (place.hidden) return;
  const inside = series
    .filter((one) => one.kind === "detections" || one.kind === "forced")
    .flatMap((one) => one.points)
    .filter((point) => !point.limit && point.mjd >= (state.from ?? -Infinity) && point.mjd <= (state.to ?? Infinity));
  const bands = [...new Set(inside.map((point) => point.band))].sort((a, b) => BANDS.indexOf(a as Band) - BANDS.indexOf(b as Band));
  const unit = isMagnitude(state) ? "mag" : "nJy";
  const rows = bands.map((band) => {
    const points = inside.filter((point) => point.band === band);
    const found = statistics(
      points.map((point) => point.mjd),
      points.map((point) => point.y),
      points.map((point) => point.error),
    )!;
    const err = (value: number | null): string => (value === null ? "" : ` ± ${shown(value, 2)}`);
    return [
      band,
      String(found.count),
      shown(found.mean) + err(found.meanError),
      shown(found.scatter, 3),
      shown(found.least),
      shown(found.most),
      shown(found.slope, 3) + err(found.slopeError),
      shown(found.reducedChi2, 3),
    ];
  });
  const from = state.from === null ? "the first" : state.from.toFixed(3);
  const to = state.to === null ? "the last" : state.to.toFixed(3);
  place.append(make("h3", {}, `Between MJD ${from} and ${to}`));
  if (!rows.length) {
    place.append(make("p", { class: "text-secondary mb-0" }, "There is no measurement in this range."));
    return;
  }
  const heads = ["Band", "Points", `Mean (${unit})`, "Scatter", "Least", "Most", `Slope (${unit}/d)`, "χ²/dof of a constant"];
  const table = makeTable("Statistics of the range", heads, rows);
  place.append(make("div", { class: "table-responsive", tabindex: "0", role: "region", "aria-label": "Statistics of the range" }, table));
}
