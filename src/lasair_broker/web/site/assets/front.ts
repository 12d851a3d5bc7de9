// The front page: the map of what was seen lately, which goes on as alerts come in.
import { markClasses } from "./front/marks";
import { SkyMap } from "./front/sky-map";
import { follow } from "./front/stream";

const place = document.querySelector<HTMLElement>("#sky-map");
if (place) {
  markClasses();
  document.body.addEventListener("htmx:afterSwap", markClasses);
  const map = new SkyMap(place);
  void map.load().then(() => follow(place.dataset["stream"] ?? "", map));
  document.querySelector<HTMLButtonElement>("#zoom")?.addEventListener("click", (event) => {
    const button = event.currentTarget as HTMLButtonElement;
    const near = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(near));
    button.classList.toggle("active", near);
    map.zoom(near);
  });
  document.querySelector<HTMLSelectElement>("#span")?.addEventListener("change", (event) => {
    void map.load(Number((event.target as HTMLSelectElement).value));
  });
}
