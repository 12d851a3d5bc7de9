// What stands beside a point of the light curve that is pointed at: its figures and its images, small.
import { make } from "./dom";

/** A picture of the detection: what it is of, and where it is. */
export interface Picture {
  kind: string;
  address: string;
}

const GAP = 14;
const REST_MILLISECONDS = 120;

export class Tip {
  private readonly element = make("div", { class: "point-tip", role: "tooltip", id: "point-tip", hidden: "" });
  private timer = 0;

  /** In `frame`, with respect to which places are given; `pictures` gives those of a detection, none if there are none. */
  constructor(
    private readonly frame: HTMLElement,
    private readonly pictures: (id: string) => Picture[],
  ) {
    frame.append(this.element);
  }

  /** Shows the lines beside a place, and the images once it has stayed there: who only passes by fetches none. */
  show(lines: string[], id: string | null, x: number, y: number): void {
    clearTimeout(this.timer);
    const [first = "", ...more] = lines;
    this.element.replaceChildren(make("div", { class: "fw-semibold" }, first), ...more.map((line) => make("div", {}, line)));
    const pictures = id === null ? [] : this.pictures(id);
    if (pictures.length) {
      const images = pictures.map(() => make("img", { alt: "", width: "80", height: "80" }));
      // The places are there at once, so that nothing moves when the images come.
      this.element.append(make("div", { class: "point-images" }, ...images.map((image, i) => make("figure", {}, image, make("figcaption", {}, pictures[i]!.kind)))));
      this.timer = window.setTimeout(() => images.forEach((image, i) => (image.src = pictures[i]!.address)), REST_MILLISECONDS);
    }
    this.element.hidden = false;
    this.place(x, y);
  }

  hide(): void {
    clearTimeout(this.timer);
    this.element.hidden = true;
  }

  /** To the right of the point or to its left, and where there is room for neither, below or above it. */
  private place(x: number, y: number): void {
    const [width, height] = [this.element.offsetWidth, this.element.offsetHeight];
    const right = this.frame.clientWidth;
    let left = x + GAP + width <= right ? x + GAP : x - GAP - width;
    let top = Math.max(0, y - height / 2);
    if (left < 0) {
      left = Math.max(0, Math.min(x - width / 2, right - width));
      top = y - GAP - height >= 0 ? y - GAP - height : y + GAP;
    }
    this.element.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }
}
