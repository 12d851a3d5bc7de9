// The page on which queries are written and run.
import { startEditor } from "./common/editor";

const form = document.querySelector<HTMLFormElement>("[data-query-form]");
startEditor(() => form?.requestSubmit(form.querySelector<HTMLButtonElement>("[data-run]")));
