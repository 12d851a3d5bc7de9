// What every page has: Bootstrap's parts, htmx, the colour switch, toasts, copying.
import "bootstrap";
import "./common/htmx";
import { watchCopyButtons } from "./common/copy";
import { watchColourSwitch } from "./common/colour-switch";
import { watchSearchKey } from "./common/search-key";
import { watchSuggestions } from "./common/suggestions";
import { watchTabs } from "./common/tabs";
import { watchToasts } from "./common/toast";

watchColourSwitch();
watchCopyButtons();
watchSearchKey();
watchSuggestions();
watchTabs();
watchToasts();
