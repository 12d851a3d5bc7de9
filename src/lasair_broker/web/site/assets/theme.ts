// Sets the colour mode before the page is drawn: the one that was chosen, else the system's, which it follows.
const KEPT = "lasair-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const chosen = localStorage.getItem(KEPT);
  const theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  const root = document.documentElement;
  if (root.dataset["bsTheme"] === theme) return;
  root.dataset["bsTheme"] = theme;
  document.dispatchEvent(new CustomEvent("lasair:theme", { detail: theme }));
}

apply();
dark.addEventListener("change", apply);
addEventListener("storage", apply); // it was changed in another tab
document.addEventListener("lasair:choose-theme", (event) => {
  const chosen = (event as CustomEvent<string>).detail;
  if (chosen === "auto") localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, chosen);
  apply();
});
