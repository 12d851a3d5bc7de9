// The page of an object, and that of a body of the solar system.
import { onTheme } from "./common/colour-switch";
import { watchSamp } from "./common/samp";
import { toast } from "./common/toast";
import { Cutouts, watchPictures } from "./objects/cutouts";
import { LightCurvePage } from "./objects/page";
import { showPhaseCurve } from "./objects/phase";
import { watchSky } from "./objects/sky";

let cutouts: Cutouts | null = null;

function showDetection(id: string): boolean {
  const shown = cutouts?.showDetection(id) ?? false;
  if (shown) document.getElementById("images")?.scrollIntoView({ block: "nearest" });
  return shown;
}

/** Gives life to what has just been fetched. */
function enliven(part: ParentNode): void {
  const film = part.querySelector<HTMLElement>("#cutouts");
  if (film) cutouts = new Cutouts(film);
  watchPictures(part);
  const sky = part.querySelector<HTMLElement>("#sky-view");
  if (sky) watchSky(sky);
}

document.addEventListener("htmx:load", (event) => enliven((event as CustomEvent<{ elt: HTMLElement }>).detail.elt.parentElement ?? document));
enliven(document);

document.addEventListener("click", (event) => {
  const button = (event.target as Element | null)?.closest<HTMLElement>("[data-detection]");
  if (button && !showDetection(button.dataset["detection"]!)) toast("This detection came without images.", "info");
});

watchSamp();

const lightCurve = document.getElementById("light-curve");
if (lightCurve) void LightCurvePage.open(lightCurve, showDetection);

const phase = document.getElementById("phase-chart");
if (phase) onTheme((theme) => showPhaseCurve(phase, theme));
