// The page on which queries are written and run.
import { startEditor } from "./common/editor";

const form = document.querySelector<HTMLFormElement>("[data-query-form]");
const editor = startEditor(() => form?.requestSubmit(form.querySelector<HTMLButtonElement>("[data-run]")));
// The address of a saved or earlier query keeps the values that it is to be run with.
editor?.onChecked(() => {
  const address = new URL(location.href);
  if (!address.searchParams.has("saved") && !address.searchParams.has("job")) return;
  for (const name of [...address.searchParams.keys()]) if (name.startsWith(":")) address.searchParams.delete(name);
  for (const { name, value } of editor.parameters()) address.searchParams.set(`:${name}`, value);
  history.replaceState(history.state, "", address);
});
