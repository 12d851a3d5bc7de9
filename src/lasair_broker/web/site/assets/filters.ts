// The pages of filters: the editor with its trial, the parts of a filter's page, and going through results by keys.
import { startEditor } from "./common/editor";
import { watchOutputs } from "./filters/outputs";
import { watchParts } from "./filters/parts";
import { watchTriage } from "./filters/triage";
import { watchTrial } from "./filters/trial";

const form = document.querySelector<HTMLFormElement>("[data-filter-form]");
const trial = form ? watchTrial(form) : undefined;
const editor = startEditor(() => trial?.now());
if (editor && trial) editor.onChecked(trial.soon);
watchParts();
watchOutputs();
watchTriage();
