// What comes in while the page is open: server-sent events, which the browser resumes by itself.
import htmx from "../common/htmx";
import { symbol } from "./marks";
import { mollweide } from "./projection";
import type { SkyMap, SkyObject } from "./sky-map";

interface Told extends Omit<SkyObject, "x" | "y"> {
  ra: number;
  decl: number;
}

interface News {
  until: number;
  count: number;
  objects: Told[];
}

const ROWS = 10;

/** Adds objects to the map and to the table of the newest as alerts come in. */
export function follow(address: string, map: SkyMap): void {
  if (!address) return;
  const sign = document.querySelector<HTMLElement>("#live");
  const words = sign?.querySelector<HTMLElement>("[data-live-text]");
  const source = new EventSource(address);
  let came = 0;
  source.addEventListener("open", () => {
    if (sign) sign.hidden = false;
  });
  source.addEventListener("error", () => {
    if (sign) sign.hidden = true;
  });
  source.addEventListener("objects", (event) => {
    const news = JSON.parse((event as MessageEvent<string>).data) as News;
    came += news.count;
    if (words) words.textContent = `live: ${came} since you came`;
    map.add(
      news.objects.map((object) => {
        const [x, y] = mollweide(object.ra, object.decl);
        return { ...object, x, y };
      }),
    );
    list(news.objects);
  });
  // An open stream would hold one of the few connections that a browser has for a site.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) follow(address, map);
  });
}

function list(objects: Told[]): void {
  // A page that somebody has sorted, searched or turned shows what they asked for.
  if ([...new URLSearchParams(location.search).keys()].some((name) => name.startsWith("newest-"))) return;
  const body = document.querySelector<HTMLTableSectionElement>("#table-newest tbody");
  const place = document.querySelector<HTMLElement>("#sky-map")?.dataset["object"] ?? "";
  if (!body) {
    void htmx.ajax("get", location.pathname, { target: "#table-newest", select: "#table-newest", swap: "outerHTML" });
    return;
  }
  for (const object of objects.slice(0, ROWS).reverse()) {
    const row = body.insertRow(0);
    const link = document.createElement("a");
    link.href = place.replace("KEY", object.diaObjectId);
    link.textContent = object.objectName;
    row.insertCell().append(link);
    const mark = document.createElement("span");
    mark.className = "class-mark";
    mark.append(symbol(object.classification));
    const kind = row.insertCell();
    kind.className = "text-nowrap";
    kind.append(mark, object.classification ?? "–");
    const seen = row.insertCell();
    seen.className = "number";
    seen.textContent = String(object.nDiaSources ?? "");
    row.insertCell().textContent = "now";
  }
  while (body.rows.length > ROWS) body.deleteRow(-1);
}
