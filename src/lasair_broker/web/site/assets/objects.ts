// The page of an object, and that of a body of the solar system.
import { onTheme } from "./common/colour-switch";
import { watchSamp } from "./common/samp";
import { toast } from "./common/toast";
import { Cutouts, watchPictures } from "./objects/cutouts";
import { LightCurvePage } from "./objects/page";
import { showPhaseCurve } from "./objects/phase";
import { DetectionRows } from "./objects/rows";
import { watchSky } from "./objects/sky";

const SMALL = 160; // pixels, for 80 on a fine screen

let cutouts: Cutouts | null = null;
let curve: LightCurvePage | null = null;
const panel = document.getElementById("panel-detections");
const rows = panel ? new DetectionRows(panel) : null;

function goToRow(id: string): void {
  void rows?.go(id, curve?.newerThan(id) ?? 0);
}

/** Shows the images of a detection and marks its row; of one without images, goes to the row. */
function showDetection(id: string): void {
  rows?.point(id);
  if (cutouts?.showDetection(id)) {
    document.getElementById("images")?.scrollIntoView({ block: "nearest" });
  } else {
    toast("This detection came without images.", "info");
    goToRow(id);
  }
}

const lively = new WeakSet<HTMLElement>();

/** The element of this kind that has no life yet: htmx tells of each piece of what it has fetched. */
function lifeless(part: ParentNode, selector: string): HTMLElement | null {
  const found = part.querySelector<HTMLElement>(selector);
  if (!found || lively.has(found)) return null;
  lively.add(found);
  return found;
}

/** Gives life to what has just been fetched. */
function enliven(part: ParentNode): void {
  const film = lifeless(part, "#cutouts");
  if (film) cutouts = new Cutouts(film);
  watchPictures(part);
  const sky = lifeless(part, "#sky-view");
  if (sky) watchSky(sky);
}

document.addEventListener("htmx:load", (event) => enliven((event as CustomEvent<{ elt: HTMLElement }>).detail.elt.parentElement ?? document));
enliven(document);

document.addEventListener("click", (event) => {
  const button = (event.target as Element | null)?.closest<HTMLElement>("[data-detection], [data-row]");
  if (button?.dataset["detection"]) showDetection(button.dataset["detection"]);
  else if (button?.dataset["row"]) goToRow(button.dataset["row"]);
});

watchSamp();

const lightCurve = document.getElementById("light-curve");
if (lightCurve) {
  const detections = { pictures: (id: string) => cutouts?.pictures(id, SMALL) ?? [], show: showDetection };
  void LightCurvePage.open(lightCurve, detections).then((opened) => (curve = opened));
}

const phase = document.getElementById("phase-chart");
if (phase) onTheme((theme) => showPhaseCurve(phase, theme));
