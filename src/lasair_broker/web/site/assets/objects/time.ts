// Times. Everything is kept as MJD in TAI; UTC is for people.

// MJD (UTC) from which TAI is so many seconds ahead (IERS Bulletin C); none has been announced since 2017.
const LEAPS: [number, number][] = [
  [57754, 37],
  [57204, 36],
  [56109, 35],
  [54832, 34],
  [53736, 33],
  [51179, 32],
  [50630, 31],
  [50083, 30],
  [49534, 29],
];

function ahead(mjdUtc: number): number {
  for (const [since, seconds] of LEAPS) if (mjdUtc >= since) return seconds;
  return 29;
}

const MJD_OF_1970 = 40587;
const DAY = 86400000;

/** UTC of an MJD in TAI, as plotly takes it: "2026-01-31 04:05:06.789". */
export function utcOf(mjdTai: number): string {
  const seconds = ahead(mjdTai - 37 / 86400);
  return new Date(Math.round((mjdTai - MJD_OF_1970) * DAY - seconds * 1000)).toISOString().replace("T", " ").replace("Z", "");
}

/** The MJD in TAI of what plotly gives of a UTC axis: text as above, or milliseconds. */
export function mjdOf(utc: string | number): number {
  const milliseconds = typeof utc === "number" ? utc : Date.parse(`${utc.replace(" ", "T")}${/\d\d:\d\d/.test(utc) ? "Z" : "T00:00Z"}`);
  const mjdUtc = milliseconds / DAY + MJD_OF_1970;
  return mjdUtc + ahead(mjdUtc) / 86400;
}
