// Buttons that copy: `data-copy="text"`, or `data-copy-from="#id"` for the text of an element.
import { toast } from "./toast";

export function watchCopyButtons(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element | null)?.closest<HTMLElement>("[data-copy], [data-copy-from]");
    if (!button) return;
    const from = button.dataset["copyFrom"];
    const source = from ? document.querySelector(from) : null;
    const text = source instanceof HTMLInputElement || source instanceof HTMLTextAreaElement ? source.value : source?.textContent;
    void copy(button.dataset["copy"] ?? text?.trim() ?? "");
  });
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied: ${text.length > 60 ? `${text.slice(0, 59)}…` : text}`);
  } catch {
    // Browsers give the clipboard to secure pages only.
    toast("The browser does not let the page copy; mark the text and copy it with the keyboard.", "warning");
  }
}
