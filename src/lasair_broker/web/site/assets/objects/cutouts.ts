// The images of a detection: which one, how they are shown, and all of them as a film.
import { pageData } from "../common/data";
import type { Picture } from "./tip";

interface Frame {
  diaSourceId: string;
  midpointMjdTai: number;
  band: string | null;
  psfFlux: number | null;
  reliability: number | null;
}

const FRAME_MILLISECONDS = 700;

export class Cutouts {
  private readonly frames: Frame[] = pageData<Frame[]>("cutout-frames");
  private at = this.frames.length - 1;
  private timer = 0;

  constructor(private readonly place: HTMLElement) {
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    for (const id of ["cutout-stretch", "cutout-limits", "cutout-north"]) this.control(id).addEventListener("change", () => this.show(this.at));
    for (const button of place.querySelectorAll<HTMLElement>("[data-step]")) {
      button.addEventListener("click", () => this.show((this.at + Number(button.dataset["step"]) + this.frames.length) % this.frames.length));
    }
    this.playButton.addEventListener("click", () => this.play(this.timer === 0));
    this.show(this.at);
  }

  /** Shows the images of a detection; false if it has none. */
  showDetection(id: string): boolean {
    const found = this.frames.findIndex((frame) => frame.diaSourceId === id);
    if (found < 0) return false;
    this.play(false);
    this.show(found);
    return true;
  }

  /** The images of a detection, so large, shown as here; none if it came without. */
  pictures(id: string, size: number): Picture[] {
    if (!this.frames.some((frame) => frame.diaSourceId === id)) return [];
    return this.images.map((image) => ({ kind: image.dataset["kind"]!, address: `${this.address(id, image.dataset["kind"]!)}&size=${size}` }));
  }

  private get images(): HTMLImageElement[] {
    return [...this.place.querySelectorAll<HTMLImageElement>("img[data-kind]")];
  }

  private address(id: string, kind: string): string {
    const north = (this.control("cutout-north") as HTMLInputElement).checked ? "1" : "0";
    const how = new URLSearchParams({ stretch: this.control("cutout-stretch").value, limits: this.control("cutout-limits").value, north });
    return `${this.place.dataset["image"]!.replace("/0/", `/${id}/`).replace("WHICH", kind)}?${how.toString()}`;
  }

  private get slider(): HTMLInputElement {
    return this.control("cutout-frame") as HTMLInputElement;
  }

  private get playButton(): HTMLButtonElement {
    return this.place.querySelector("[data-play]")!;
  }

  private control(id: string): HTMLInputElement | HTMLSelectElement {
    return this.place.querySelector(`#${id}`)!;
  }

  private play(on: boolean): void {
    clearInterval(this.timer);
    this.timer = on ? window.setInterval(() => {
      if (document.contains(this.place)) this.show((this.at + 1) % this.frames.length);
      else this.play(false);
    }, FRAME_MILLISECONDS) : 0;
    this.playButton.setAttribute("aria-pressed", String(on));
    this.playButton.classList.toggle("active", on);
  }

  private show(at: number): void {
    const frame = this.frames[at];
    if (!frame) return;
    this.at = at;
    this.slider.value = String(at);
    for (const image of this.images) {
      const kind = image.dataset["kind"]!;
      image.src = this.address(frame.diaSourceId, kind);
      image.alt = `${kind} image of detection ${frame.diaSourceId}`;
    }
    for (const link of this.place.querySelectorAll<HTMLAnchorElement>("a[data-fits]")) {
      link.href = `/api/v1/cutouts/${frame.diaSourceId}/${link.dataset["fits"]!}.fits`;
    }
    const flux = frame.psfFlux === null ? "" : `, ${frame.psfFlux.toFixed(0)} nJy`;
    const reliability = frame.reliability === null ? "" : `, reliability ${frame.reliability.toFixed(2)}`;
    const text = `${at + 1} of ${this.frames.length}: ${frame.band ?? ""}, MJD ${frame.midpointMjdTai.toFixed(5)}${flux}${reliability}`;
    this.place.querySelector("#cutout-caption")!.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    this.place.querySelector<HTMLElement>("[data-row]")!.dataset["row"] = frame.diaSourceId;
  }
}

/** The colour image follows its choices, and images of other servers that cannot be had are told of. */
export function watchPictures(place: ParentNode): void {
  const image = place.querySelector<HTMLImageElement>("img[data-colour]");
  const bands = place.querySelector<HTMLSelectElement>("#colour-bands");
  const which = place.querySelector<HTMLSelectElement>("#colour-which");
  if (image && bands && which) {
    const show = (): void => {
      image.src = `${bands.dataset["colourAddress"]!}?${new URLSearchParams({ bands: bands.value, which: which.value }).toString()}`;
      image.alt = `Colour image of the place, from our ${which.selectedOptions[0]?.text ?? ""} in ${bands.value}`;
    };
    bands.addEventListener("change", show);
    which.addEventListener("change", show);
  }
  for (const elsewhere of place.querySelectorAll<HTMLImageElement>("img[data-elsewhere]")) {
    const missing = (): void => {
      elsewhere.hidden = true;
      elsewhere.parentElement?.querySelector(".unreachable")?.removeAttribute("hidden");
    };
    if (elsewhere.complete && elsewhere.naturalWidth === 0 && elsewhere.loading !== "lazy") missing();
    elsewhere.addEventListener("error", missing);
  }
}
