// What the server tells of a light curve: columns, fluxes in nJy, times in MJD TAI; null is what is missing.

export type Values = (number | null)[];

export interface Points {
  midpointMjdTai: number[];
  band: (string | null)[];
  psfFlux: Values;
  psfFluxErr: Values;
  scienceFlux: Values;
  scienceFluxErr: Values;
}

export interface Detections extends Points {
  diaSourceId: string[];
  templateFlux: Values;
  reliability: Values;
  ra: Values;
  decl: Values;
  flags: number[];
}

export interface Limits {
  midpointMjdTai: number[];
  band: (string | null)[];
  limitingFlux: Values;
}

export interface Curve {
  diaSources: Detections;
  diaForcedSources: Points;
  diaNondetectionLimits: Limits;
}

export interface Partner extends Curve {
  name: string;
  survey: string;
}

export interface UserPoints {
  id: number;
  name: string;
  owner: string;
  visibility: string;
  provenance: string;
  /** What the fluxes are of; empty if nobody said. */
  fluxOf: "" | "difference" | "total";
  midpointMjdTai: number[];
  band: string[];
  psfFlux: Values;
  psfFluxErr: Values;
  is_limit: boolean[];
  value: Values;
  error: Values;
  unit: string[];
  scale: string[];
  instrument: string[];
}

export interface Passband {
  wavelength: number;
  extinction: number;
}

export interface LightCurve extends Curve {
  diaObjectId: string;
  objectName: string;
  survey: string;
  passbands: Record<string, Passband>;
  ebv: number | null;
  redshift: number | null;
  distance: number | null;
  cosmology: { hubble: number; omegaMatter: number };
  flagNames: string[];
  fits: Record<string, number | null>;
  partners: Partner[];
  users: UserPoints[];
}

/** The JSON at an address of this site; throws with the server's words. */
export async function fetched<T>(address: string): Promise<T> {
  // As htmx asks, the site's faults are told in a few words.
  const response = await fetch(address, { credentials: "same-origin", headers: { "HX-Request": "true" } });
  if (response.ok) return (await response.json()) as T;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  throw new Error(page.querySelector("[data-reason]")?.textContent?.trim() || `The server answered ${response.status}.`);
}
