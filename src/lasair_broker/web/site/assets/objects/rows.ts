// The row of a detection in the table of detections, which pages on the server.
import htmx from "../common/htmx";

const PAGE = 25;

/** Finds and marks rows of the panel, which is fetched when it comes into view. */
export class DetectionRows {
  private wanted = "";

  constructor(private readonly panel: HTMLElement) {
    panel.addEventListener("htmx:afterSwap", () => this.mark());
  }

  /** Marks the row, now or when it is there. */
  point(id: string): void {
    this.wanted = id;
    this.mark();
  }

  /** Goes to the row: on its page of the table, the newest detections first. `newer` is how many are newer than it. */
  async go(id: string, newer: number): Promise<void> {
    this.wanted = id;
    if (this.panel.querySelector(".waiting")) {
      const fetched = new Promise((swapped) => this.panel.addEventListener("htmx:afterSwap", swapped, { once: true }));
      htmx.trigger(this.panel, "intersect"); // once, as when it comes into view
      await fetched;
    }
    if (!this.mark()) {
      const asked = new URLSearchParams({ "detections-sort": "-midpointMjdTai", "detections-size": String(PAGE), "detections-page": String(Math.floor(newer / PAGE) + 1) });
      await htmx.ajax("get", `${this.panel.getAttribute("hx-get")!}?${asked.toString()}`, { target: this.panel, swap: "innerHTML" });
    }
    const row = this.mark();
    row?.scrollIntoView({ block: "center", behavior: "instant" });
    row?.querySelector<HTMLElement>("[data-detection]")?.focus({ preventScroll: true });
  }

  private mark(): HTMLElement | null {
    for (const row of this.panel.querySelectorAll("tr.table-active")) row.classList.remove("table-active");
    const row = this.wanted ? this.panel.querySelector(`[data-detection="${CSS.escape(this.wanted)}"]`)?.closest("tr") : null;
    row?.classList.add("table-active");
    return row ?? null;
  }
}
