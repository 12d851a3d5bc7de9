// The points that the chart draws: every measurement brought to the quantity and the time that the form asks for.
import type { Curve, LightCurve, UserPoints, Values } from "./data";
import { bazin, blackbody, luminosityDistance, magnitudeOf, MAG_OF_RATIO, toAbsolute } from "./photometry";
import { redshiftOf, type State } from "./state";
import { utcOf } from "./time";

export interface Point {
  mjd: number;
  x: number | string;
  y: number;
  error: number | null;
  band: string;
  /** A limit: nothing was seen brighter than this. */
  limit: boolean;
  /** Of the detection; null for others. */
  id: string | null;
  /** Lines of text that stand below the figures when the point is pointed at. */
  notes: string[];
}

export type Kind = "detections" | "forced" | "limits" | "partners" | "users";

export interface Series {
  kind: Kind;
  name: string;
  points: Point[];
}

const FAINTEST_SIGMA = 3;

/** In magnitudes, what is less than three sigma is a limit at three sigma. */
export function isMagnitude(state: State): boolean {
  return state.y === "magnitude" || state.y === "total-magnitude" || state.y === "absolute";
}

export class Converter {
  private readonly first: number;
  private readonly absolute: number | null;
  private readonly z: number | null;

  constructor(
    private readonly curve: LightCurve,
    private readonly state: State,
  ) {
    const times = [...curve.diaSources.midpointMjdTai, ...curve.diaForcedSources.midpointMjdTai];
    this.first = curve.diaSources.midpointMjdTai[0] ?? (times.length ? Math.min(...times) : 0);
    this.z = redshiftOf(state, curve);
    const { hubble, omegaMatter } = curve.cosmology;
    // A redshift that the user gives is meant; else a distance that is known better than by the redshift counts.
    const distance =
      state.redshift === null && curve.distance !== null ? curve.distance : this.z ? luminosityDistance(this.z, hubble, omegaMatter) : null;
    this.absolute = distance && distance > 0 ? toAbsolute(this.z ?? 0, distance) : null;
  }

  /** Why nothing can be drawn; "" if it can. */
  get obstacle(): string {
    if (this.state.y === "absolute" && this.absolute === null) return "An absolute magnitude needs a redshift: give one.";
    if (this.state.x === "rest" && this.z === null) return "Rest-frame days need a redshift: give one.";
    if (this.state.x === "phase" && this.state.period === null) return "A phase needs a period: give one, or find one.";
    if (this.state.extinction && this.curve.ebv === null) return "The dust in this direction is not known.";
    return "";
  }

  /** Magnitudes of dust in a band that are corrected for. */
  dust(band: string): number {
    const { ebv, passbands } = this.curve;
    return this.state.extinction && ebv !== null ? (passbands[band]?.extinction ?? 0) * ebv : 0;
  }

  x(mjd: number): number | string {
    const days = mjd - this.first;
    switch (this.state.x) {
      case "utc":
        return utcOf(mjd);
      case "days":
        return days;
      case "rest":
        return days / (1 + (this.z ?? 0));
      case "phase": {
        const period = this.state.period ?? 1;
        return ((days / period) % 1 + 1) % 1;
      }
      default:
        return mjd;
    }
  }

  /** The MJD at a place of the axis; null where there are many, as in a phase. */
  mjd(x: number): number | null {
    if (this.state.x === "phase" || this.state.x === "utc") return null;
    if (this.state.x === "days") return this.first + x;
    if (this.state.x === "rest") return this.first + x * (1 + (this.z ?? 0));
    return x;
  }

  /** A flux as the chart has it; null if it cannot be drawn. */
  y(flux: number | null, error: number | null, band: string, limit = false): { y: number; error: number | null; limit: boolean } | null {
    if (flux === null) return null;
    const dust = this.dust(band);
    if (!isMagnitude(this.state)) {
      const bright = 10 ** (0.4 * dust);
      return { y: flux * bright, error: error === null ? null : error * bright, limit };
    }
    const shift = -dust + (this.state.y === "absolute" ? (this.absolute ?? Number.NaN) : 0);
    const faint = limit || (error !== null && flux < FAINTEST_SIGMA * error);
    const shownFlux = faint && !limit ? FAINTEST_SIGMA * (error ?? 0) : flux;
    const magnitude = magnitudeOf(shownFlux);
    if (magnitude === null || !Number.isFinite(magnitude + shift)) return null;
    return { y: magnitude + shift, error: faint || error === null ? null : (MAG_OF_RATIO * error) / flux, limit: faint };
  }
}

/** All that the form asks for. */
export function seriesOf(curve: LightCurve, state: State, converter: Converter): Series[] {
  const found: Series[] = [];
  if (state.limits) found.push({ kind: "limits", name: "limits", points: limits(curve, state, converter) });
  if (state.forced) found.push({ kind: "forced", name: "forced", points: forced(curve, state, converter, "forced photometry") });
  if (state.detections) found.push({ kind: "detections", name: "detections", points: detections(curve, curve, state, converter, "") });
  if (state.partners) {
    for (const partner of curve.partners) {
      const name = `${partner.survey} ${partner.name}`;
      const points = [
        ...detections(curve, partner, state, converter, name).map((point) => ({ ...point, id: null })),
        ...(state.forced ? forced(partner, state, converter, `${name}, forced`) : []),
      ];
      found.push({ kind: "partners", name, points });
    }
  }
  if (state.users) for (const set of curve.users) found.push({ kind: "users", name: set.name, points: users(set, state, converter) });
  return found.filter((series) => series.points.length);
}

const isTotal = (state: State): boolean => state.y === "total" || state.y === "total-magnitude";

function detections(whole: LightCurve, curve: Curve, state: State, converter: Converter, note: string): Point[] {
  const rows = curve.diaSources;
  const found: Point[] = [];
  for (let i = 0; i < rows.midpointMjdTai.length; i++) {
    const band = rows.band[i] ?? "?";
    const reliability = rows.reliability[i];
    if (state.reliability > 0 && reliability !== null && reliability !== undefined && reliability < state.reliability) continue;
    if (state.unflagged && rows.flags[i]) continue;
    const template = rows.templateFlux[i];
    const difference = rows.psfFlux[i] ?? null;
    const total = rows.scienceFlux[i] ?? (template !== null && template !== undefined && difference !== null ? difference + template : null);
    const flux = isTotal(state) ? total : difference;
    const error = (isTotal(state) ? (rows.scienceFluxErr[i] ?? rows.psfFluxErr[i]) : rows.psfFluxErr[i]) ?? null;
    const flags = whole.flagNames.filter((_, bit) => (rows.flags[i] ?? 0) & (1 << bit));
    const parts = [note, reliability !== null && reliability !== undefined ? `reliability ${reliability.toFixed(2)}` : "", ...flags];
    add(found, converter, state, rows.midpointMjdTai[i]!, band, flux, error, false, rows.diaSourceId[i] ?? null, parts);
  }
  return found;
}

function forced(curve: Curve, state: State, converter: Converter, note: string): Point[] {
  const rows = curve.diaForcedSources;
  const found: Point[] = [];
  const [flux, error]: [Values, Values] = isTotal(state) ? [rows.scienceFlux, rows.scienceFluxErr] : [rows.psfFlux, rows.psfFluxErr];
  rows.midpointMjdTai.forEach((mjd, i) => add(found, converter, state, mjd, rows.band[i] ?? "?", flux[i] ?? null, error[i] ?? null, false, null, [note]));
  return found;
}

function limits(curve: LightCurve, state: State, converter: Converter): Point[] {
  const rows = curve.diaNondetectionLimits;
  const found: Point[] = [];
  if (isTotal(state)) return found; // limits are of the difference
  rows.midpointMjdTai.forEach((mjd, i) => add(found, converter, state, mjd, rows.band[i] ?? "?", rows.limitingFlux[i] ?? null, null, true, null, ["5σ limit"]));
  return found;
}

function users(set: UserPoints, state: State, converter: Converter): Point[] {
  const found: Point[] = [];
  if (set.fluxOf && (set.fluxOf === "total") !== isTotal(state)) return found;
  set.midpointMjdTai.forEach((mjd, i) => {
    const given = `${set.value[i]}${set.error[i] === null ? "" : ` ± ${set.error[i]}`} ${set.unit[i]}`;
    const notes = [set.name, `by ${set.owner}`, set.instrument[i] ?? "", given, set.provenance].map((line) => line.slice(0, 120));
    // A flux that a user added is what it is, whichever quantity is drawn: what was subtracted, only the user knows.
    add(found, converter, state, mjd, set.band[i] ?? "?", set.psfFlux[i] ?? null, set.psfFluxErr[i] ?? null, set.is_limit[i] ?? false, null, notes);
  });
  return found;
}

function add(
  to: Point[],
  converter: Converter,
  state: State,
  mjd: number,
  band: string,
  flux: number | null,
  error: number | null,
  limit: boolean,
  id: string | null,
  notes: string[],
): void {
  if ("ugrizy".includes(band) && !state.bands.has(band)) return;
  const made = converter.y(flux, error, band, limit);
  if (made) to.push({ mjd, x: converter.x(mjd), band, id, notes: notes.filter(Boolean), ...made });
}

export interface Line {
  band: string;
  name: string;
  x: (number | string)[];
  y: number[];
}

/** The models whose parameters the archive has: Bazin's function in each band, and times a blackbody in all. */
export function fitLines(curve: LightCurve, state: State, converter: Converter): Line[] {
  const times = curve.diaSources.midpointMjdTai;
  if (!times.length || state.x === "phase" || isTotal(state)) return [];
  const first = times[0]! - 30;
  const last = times[times.length - 1]! + 30;
  const grid = Array.from({ length: 300 }, (_, i) => first + ((last - first) * i) / 299);
  const lines: Line[] = [];
  const draw = (name: string, band: string, flux: (mjd: number) => number): void => {
    if (!state.bands.has(band)) return;
    const brightest = Math.max(...grid.map(flux));
    const line: Line = { band, name, x: [], y: [] };
    for (const mjd of grid) {
      const value = flux(mjd);
      if (!(value > 1e-3 * brightest)) continue; // a magnitude of nothing runs off the chart
      const made = converter.y(value, null, band);
      if (made) {
        line.x.push(converter.x(mjd));
        line.y.push(made.y);
      }
    }
    if (line.x.length) lines.push(line);
  };
  const { fits, passbands, ebv } = curve;
  for (const band of Object.keys(passbands)) {
    const [rise, fall, peak, when] = ["RiseRate", "FallRate", "PeakFlux", "PeakMJD"].map((name) => fits[`${band}_bazin${name}`]);
    if (rise == null || fall == null || peak == null || when == null) continue;
    draw(`Bazin in ${band}`, band, (mjd) => peak * bazin(mjd - when, rise, fall));
  }
  const [rise, fall, peak, when, temperature] = ["RiseRate", "FallRate", "PeakFlux", "PeakMJD", "Temp"].map((name) => fits[`BBB${name}`]);
  const reference = passbands["r"];
  if (rise == null || fall == null || peak == null || when == null || temperature == null || !reference) return lines;
  for (const [band, { wavelength, extinction }] of Object.entries(passbands)) {
    // The peak is as observed in r, behind the dust; the blackbody is what lies before it.
    const dust = 10 ** (0.4 * (reference.extinction - extinction) * (ebv ?? 0));
    const colour = dust * blackbody(wavelength, reference.wavelength, temperature);
    draw(`blackbody of ${temperature.toFixed(1)} kK in ${band}`, band, (mjd) => peak * colour * bazin(mjd - when, rise, fall));
  }
  return lines;
}
