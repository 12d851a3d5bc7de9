// The switch between light, dark and the system's colours; theme.ts does the work.

export function watchColourSwitch(): void {
  const buttons = document.querySelectorAll<HTMLButtonElement>("button[data-theme-choice]");
  const show = (chosen: string): void => {
    for (const button of buttons) {
      const is = button.dataset["themeChoice"] === chosen;
      button.classList.toggle("active", is);
      button.setAttribute("aria-pressed", String(is));
    }
  };
  show(localStorage.getItem("lasair-theme") ?? "auto");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const chosen = button.dataset["themeChoice"] ?? "auto";
      document.dispatchEvent(new CustomEvent("lasair:choose-theme", { detail: chosen }));
      show(chosen);
    });
  }
}

/** Calls back now and whenever the colours change, with "light" or "dark". */
export function onTheme(draw: (theme: "light" | "dark") => void): void {
  const now = (): "light" | "dark" => (document.documentElement.dataset["bsTheme"] === "dark" ? "dark" : "light");
  document.addEventListener("lasair:theme", () => draw(now()));
  draw(now());
}
