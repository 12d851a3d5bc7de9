// What the chart shows is what its form says, and the form is kept in the page's address.
import type { LightCurve } from "./data";

export type Brightness = "difference" | "total" | "magnitude" | "total-magnitude" | "absolute";
export type TimeAxis = "mjd" | "utc" | "days" | "rest" | "phase";

export interface State {
  y: Brightness;
  x: TimeAxis;
  bands: Set<string>;
  detections: boolean;
  forced: boolean;
  limits: boolean;
  errors: boolean;
  fits: boolean;
  partners: boolean;
  users: boolean;
  reliability: number;
  unflagged: boolean;
  redshift: number | null;
  extinction: boolean;
  from: number | null;
  to: number | null;
  period: number | null;
}

const number = (text: FormDataEntryValue | null): number | null => {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
};

/** What the form says now. */
export function readState(form: HTMLFormElement): State {
  const given = new FormData(form);
  const on = (name: string): boolean => given.has(name);
  const period = number(given.get("period"));
  return {
    y: given.get("y") as Brightness,
    x: given.get("x") as TimeAxis,
    bands: new Set(given.getAll("band") as string[]),
    detections: on("detections"),
    forced: on("forced"),
    limits: on("limits"),
    errors: on("errors"),
    fits: on("fits"),
    partners: on("partners"),
    users: on("users"),
    reliability: number(given.get("reliability")) ?? 0,
    unflagged: on("unflagged"),
    redshift: number(given.get("z")),
    extinction: on("extinction"),
    from: number(given.get("from")),
    to: number(given.get("to")),
    period: period !== null && period > 0 ? period : null,
  };
}

type Control = HTMLInputElement | HTMLSelectElement;
const controls = (form: HTMLFormElement): Control[] =>
  [...form.elements].filter((e): e is Control => (e instanceof HTMLInputElement || e instanceof HTMLSelectElement) && e.name !== "");
const isBox = (control: Control): control is HTMLInputElement => control instanceof HTMLInputElement && control.type === "checkbox";
const usual = (control: Control): string =>
  control instanceof HTMLSelectElement
    ? ([...control.options].find((option) => option.defaultSelected)?.value ?? control.options[0]?.value ?? "")
    : control.defaultValue;

/** Sets the form as the page's address says. */
export function fromAddress(form: HTMLFormElement): void {
  const given = new URLSearchParams(location.search);
  const bands = given.get("bands");
  for (const control of controls(form)) {
    if (control.name === "band") {
      if (bands !== null) (control as HTMLInputElement).checked = bands.includes(control.value);
      continue;
    }
    const value = given.get(control.name);
    if (value === null) continue;
    if (isBox(control)) control.checked = value === "1";
    else if (control instanceof HTMLInputElement || [...control.options].some((option) => option.value === value)) control.value = value;
  }
}

/** Keeps in the page's address whatever of the form is not as usual. */
export function toAddress(form: HTMLFormElement): void {
  const given = new URLSearchParams(location.search);
  const boxes = controls(form).filter((control) => control.name === "band") as HTMLInputElement[];
  if (boxes.every((box) => box.checked)) given.delete("bands");
  else given.set("bands", boxes.filter((box) => box.checked).map((box) => box.value).join(""));
  for (const control of controls(form)) {
    if (control.name === "band") continue;
    const now = isBox(control) ? (control.checked ? "1" : "0") : control.value;
    const before = isBox(control) ? (control.defaultChecked ? "1" : "0") : usual(control);
    if (now === before) given.delete(control.name);
    else given.set(control.name, now);
  }
  const query = given.toString();
  history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
}

/** The redshift and the distance (Mpc) to use: those the form says, else those that the archive has. */
export function redshiftOf(state: State, curve: LightCurve): number | null {
  return state.redshift ?? curve.redshift;
}
