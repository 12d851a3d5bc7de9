/** "/" goes to the search box, as on many sites, unless somebody is typing. */
export function watchSearchKey(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const typing = target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    const box = [...document.querySelectorAll<HTMLInputElement>("input[type=search][name=q]")].find((input) => input.offsetParent);
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}
