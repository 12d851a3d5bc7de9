// Fluxes, magnitudes, distances and models. Fluxes are nJy, magnitudes AB.

export const ZERO_POINT = 31.4;
export const MAG_OF_RATIO = 2.5 / Math.LN10;

/** The AB magnitude of a flux; null if it is not positive. */
export function magnitudeOf(flux: number): number | null {
  return flux > 0 ? ZERO_POINT - 2.5 * Math.log10(flux) : null;
}

/** Luminosity distance in Mpc in a flat universe (Hogg 1999, astro-ph/9905116), by Simpson's rule. */
export function luminosityDistance(z: number, hubble: number, omegaMatter: number): number {
  const steps = 200;
  const inverse = (at: number): number => 1 / Math.sqrt(omegaMatter * (1 + at) ** 3 + 1 - omegaMatter);
  let sum = inverse(0) + inverse(z);
  for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * inverse((z * i) / steps);
  return ((299792.458 / hubble) * (1 + z) * sum * z) / steps / 3;
}

/** What to add to a magnitude to make it absolute: minus the distance modulus, and the K correction of a spectrum flat in frequency. */
export function toAbsolute(z: number, distance: number): number {
  return -(5 * Math.log10(distance) + 25) + 2.5 * Math.log10(1 + z);
}

/** The function of Bazin et al. 2009 through a peak: rates in 1/day, time in days from the peak. */
export function bazin(days: number, rise: number, fall: number): number {
  const odds = rise / fall - 1;
  if (!(odds > 0)) return Number.NaN;
  const toPeak = Math.log(odds) / rise;
  const shape = (dt: number): number => Math.exp(-fall * dt - Math.max(-rise * dt, 0)) / (1 + Math.exp(-Math.abs(rise * dt)));
  return shape(days + toPeak) / shape(toPeak);
}

const PLANCK = 14.387768775; // hc/k, µm kK

/** The flux density per frequency of a blackbody at a wavelength over that at another (µm; kK). */
export function blackbody(wavelength: number, reference: number, temperature: number): number {
  const x = PLANCK / (wavelength * temperature);
  const y = PLANCK / (reference * temperature);
  return ((reference / wavelength) ** 3 * Math.expm1(y)) / Math.expm1(x);
}

export interface Statistics {
  count: number;
  mean: number;
  meanError: number | null;
  scatter: number;
  least: number;
  most: number;
  slope: number | null;
  slopeError: number | null;
  reducedChi2: number | null;
}

/** Of values with errors at times; weights are 1/error², or all equal if an error is missing. */
export function statistics(time: number[], value: number[], error: (number | null)[]): Statistics | null {
  const count = value.length;
  if (!count) return null;
  const known = error.every((e) => e !== null && e > 0);
  const weight = error.map((e) => (known ? 1 / (e as number) ** 2 : 1));
  const sum = (of: (i: number) => number): number => value.reduce((total, _, i) => total + of(i), 0);
  const all = sum((i) => weight[i]!);
  const mean = sum((i) => weight[i]! * value[i]!) / all;
  const plain = sum((i) => value[i]!) / count;
  const scatter = count > 1 ? Math.sqrt(sum((i) => (value[i]! - plain) ** 2) / (count - 1)) : 0;
  const middle = sum((i) => weight[i]! * time[i]!) / all;
  const spread = sum((i) => weight[i]! * (time[i]! - middle) ** 2);
  const slope = count > 1 && spread > 0 ? sum((i) => weight[i]! * (time[i]! - middle) * (value[i]! - mean)) / spread : null;
  return {
    count,
    mean,
    meanError: known ? 1 / Math.sqrt(all) : null,
    scatter,
    least: Math.min(...value),
    most: Math.max(...value),
    slope,
    slopeError: slope !== null && known ? 1 / Math.sqrt(spread) : null,
    reducedChi2: known && count > 1 ? sum((i) => weight[i]! * (value[i]! - mean) ** 2) / (count - 1) : null,
  };
}

/** A number with so many significant digits, and thin spaces between thousands. */
export function shown(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return value.toExponential(digits - 1);
  const decimals = Math.max(0, digits - 1 - (size > 0 ? Math.floor(Math.log10(size)) : 0));
  const [whole, rest] = value.toFixed(Math.min(decimals, 20)).split(".");
  const spaced = whole!.replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "−");
  return rest ? `${spaced}.${rest}` : spaced;
}
