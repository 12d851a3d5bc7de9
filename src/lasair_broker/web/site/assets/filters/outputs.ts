// The form of an output shows only what counts for its kind.
export function watchOutputs(): void {
  const show = (form: HTMLElement): void => {
    const kind = form.querySelector<HTMLSelectElement>("select[name=kind]")?.value ?? "";
    for (const part of form.querySelectorAll<HTMLElement>("[data-for]")) {
      part.hidden = !(part.dataset["for"] ?? "").split(" ").includes(kind);
    }
  };
  const showAll = (): void => document.querySelectorAll<HTMLElement>("[data-output-form]").forEach(show);
  document.addEventListener("change", (event) => {
    const form = (event.target as Element).closest<HTMLElement>("[data-output-form]");
    if (form) show(form);
  });
  document.addEventListener("htmx:afterSwap", showAll);
  showAll();
}
