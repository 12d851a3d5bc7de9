// Mollweide's equal-area projection, as the picture beneath has it: right ascension to the left, 0h in the middle.
// Snyder, Map Projections: A Working Manual (1987), equations 31-1 to 31-4.

const RADIAN = Math.PI / 180;

/** Place of a position (degrees) in a map that goes from -1 to 1 each way. */
export function mollweide(ra: number, decl: number): [number, number] {
  const longitude = ((((ra + 180) % 360) + 360) % 360) - 180;
  const latitude = decl * RADIAN;
  const target = Math.PI * Math.sin(latitude);
  let twice = 2 * latitude;
  for (let step = 0; step < 50; step += 1) {
    const change = (twice + Math.sin(twice) - target) / Math.max(1 + Math.cos(twice), 1e-9);
    twice = Math.min(Math.PI, Math.max(-Math.PI, twice - change));
    if (Math.abs(change) < 1e-7) break;
  }
  return [(-longitude / 180) * Math.cos(twice / 2), Math.sin(twice / 2)];
}
