// htmx, which sends the token that Django wants with every request that changes something.
import htmx from "htmx.org";
import { csrfToken } from "./api";
import { toast } from "./toast";

document.addEventListener("htmx:configRequest", (event) => {
  const { headers } = (event as CustomEvent<{ headers: Record<string, string> }>).detail;
  headers["X-CSRFToken"] = csrfToken();
});
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail;
  const told = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[data-reason]");
  toast(told?.textContent?.trim() || `The server answered ${xhr.status}.`, "danger");
});
document.addEventListener("htmx:sendError", () => toast("The server does not answer. Try again in a moment.", "danger"));

export default htmx;
