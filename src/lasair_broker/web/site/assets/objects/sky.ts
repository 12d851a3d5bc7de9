// The sky viewer: Aladin Lite, which is GPL and so no part of Lasair, where an installation has it.
import { pageData } from "../common/data";
import { toast } from "../common/toast";

interface SkyMark {
  kind: string;
  name: string;
  about: string;
  ra: number;
  decl: number;
}

interface Catalogue {
  addSources(sources: unknown[]): void;
}

interface Viewer {
  addCatalog(catalogue: Catalogue): void;
}

interface Aladin {
  init: Promise<void>;
  aladin(place: HTMLElement, options: Record<string, unknown>): Viewer;
  catalog(options: Record<string, unknown>): Catalogue;
  source(ra: number, decl: number, data: Record<string, unknown>): unknown;
}

const COLOURS: Record<string, string> = { object: "#ff9a5c", host: "#30c39f", match: "#7cbcf7", neighbour: "#c9c9c9" };

/** Lets the button open the viewer in place of the finding chart; without the viewer, or WebGL, the chart stays. */
export function watchSky(place: HTMLElement): void {
  const button = place.querySelector<HTMLButtonElement>("[data-open-aladin]");
  button?.addEventListener("click", () => {
    button.disabled = true;
    open(place).catch((error: unknown) => {
      button.disabled = false;
      toast(`The sky viewer cannot be shown here: ${error instanceof Error ? error.message : String(error)}`, "warning");
    });
  });
}

async function open(place: HTMLElement): Promise<void> {
  if (!document.createElement("canvas").getContext("webgl2")) throw new Error("the browser has no WebGL 2");
  const { aladin: script, density, ra, decl, field } = place.dataset as Record<string, string>;
  const loaded = (await import(/* @vite-ignore */ script!)) as { default: Aladin };
  const aladin = loaded.default;
  await aladin.init;
  const target = place.querySelector<HTMLElement>(".aladin-place")!;
  target.hidden = false;
  place.querySelector(".finding-chart")?.remove();
  const viewer = aladin.aladin(target, {
    survey: new URL(density!, location.href).href, // by its address: a name would be looked up elsewhere
    target: `${ra} ${decl}`,
    fov: Number(field) / 3600,
    cooFrame: "ICRSd",
    log: false, // else it reports to its makers
    showLayersControl: false,
    showProjectionControl: false,
    showFullscreenControl: false,
    showFrame: false,
    showCooLocation: false,
    showZoomControl: false,
    showSimbadPointerControl: false,
    showCooGridControl: false,
    showCooGrid: true,
    showReticle: false,
  });
  const marks: SkyMark[] = [{ kind: "object", name: "this object", about: "", ra: Number(ra), decl: Number(decl) }, ...pageData<SkyMark[]>("sky-marks")];
  for (const kind of Object.keys(COLOURS)) {
    const catalogue = aladin.catalog({ name: kind, color: COLOURS[kind], sourceSize: kind === "object" ? 18 : 12, shape: kind === "object" ? "cross" : kind === "neighbour" ? "circle" : "square", onClick: "showPopup" });
    catalogue.addSources(marks.filter((mark) => mark.kind === kind).map((mark) => aladin.source(mark.ra, mark.decl, { name: mark.name, about: mark.about })));
    viewer.addCatalog(catalogue);
  }
}
