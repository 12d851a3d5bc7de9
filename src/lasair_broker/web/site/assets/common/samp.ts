// Sending to TOPCAT, Aladin and others by SAMP's web profile (IVOA SAMP 1.3, section 5): XML-RPC to a hub on this machine.
import { toast } from "./toast";

const HUB = "http://localhost:21012/";
const NO_HUB =
  "No SAMP hub answers on this computer. Start TOPCAT or Aladin Desktop, which bring one along, and press this again; " +
  "then say yes to the program, and to the browser if it asks whether this page may reach your computer. " +
  "If one runs already: its hub must have the web profile (in TOPCAT: Interop, SAMP control, Profiles).";

type Value = string | { [name: string]: Value };

/** Sends a message to all clients of the hub, which asks the user whether this page may. */
export async function send(kind: string, parameters: Record<string, string>): Promise<number> {
  const registered = await call("samp.webhub.register", [{ "samp.name": "Lasair" }]);
  const key = typeof registered === "object" ? registered["samp.private-key"] : undefined;
  if (typeof key !== "string") throw new Error("The hub did not let this page in.");
  try {
    const message = { "samp.mtype": kind, "samp.params": parameters };
    const subscribed = await call("samp.webhub.getSubscribedClients", [key, kind]);
    await call("samp.webhub.notifyAll", [key, message]);
    return typeof subscribed === "object" ? Object.keys(subscribed).length : 0;
  } finally {
    await call("samp.webhub.unregister", [key]);
  }
}

export function watchSamp(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element | null)?.closest<HTMLElement>("[data-samp]");
    if (!button) return;
    void sent(button.dataset["samp"]!, parametersOf(button));
  });
}

function parametersOf(button: HTMLElement): Record<string, string> {
  const { sampAddress, sampName, sampRa, sampDec } = button.dataset;
  if (sampAddress) return { url: new URL(sampAddress, location.href).href, name: sampName ?? "Lasair" };
  return { ra: sampRa ?? "", dec: sampDec ?? "" };
}

async function sent(kind: string, parameters: Record<string, string>): Promise<void> {
  try {
    const clients = await send(kind, parameters);
    if (clients) toast(`Sent to ${clients} program${clients === 1 ? "" : "s"}.`);
    else toast("No program that is connected takes this. Start TOPCAT or Aladin Desktop, and press this again.", "warning");
  } catch (error) {
    toast(error instanceof TypeError ? NO_HUB : (error as Error).message, "warning");
  }
}

async function call(method: string, parameters: Value[]): Promise<Value> {
  const call = document.implementation.createDocument(null, "methodCall");
  element(call, call.documentElement, "methodName").textContent = method;
  const list = element(call, call.documentElement, "params");
  for (const value of parameters) write(call, element(call, element(call, list, "param"), "value"), value);
  const body = `<?xml version="1.0"?>${new XMLSerializer().serializeToString(call)}`;
  const response = await fetch(HUB, { method: "POST", body, headers: { "Content-Type": "text/xml" }, credentials: "omit" });
  const answer = new DOMParser().parseFromString(await response.text(), "text/xml");
  const value = answer.querySelector("methodResponse value");
  if (!value) throw new Error("The SAMP hub gave no answer.");
  const told = read(value);
  if (answer.querySelector("methodResponse > fault")) {
    throw new Error(`The SAMP hub refused: ${typeof told === "object" ? String(told["faultString"] ?? "") : told}`);
  }
  return told;
}

function element(document: Document, parent: Element, name: string): Element {
  return parent.appendChild(document.createElement(name));
}

function write(document: Document, place: Element, value: Value): void {
  if (typeof value === "string") {
    element(document, place, "string").textContent = value;
    return;
  }
  const struct = element(document, place, "struct");
  for (const [name, inner] of Object.entries(value)) {
    const member = element(document, struct, "member");
    element(document, member, "name").textContent = name;
    write(document, element(document, member, "value"), inner);
  }
}

function read(value: Element): Value {
  const struct = [...value.children].find((child) => child.tagName === "struct");
  if (!struct) return value.textContent ?? "";
  const found: { [name: string]: Value } = {};
  for (const member of struct.children) {
    const name = [...member.children].find((child) => child.tagName === "name")?.textContent ?? "";
    const inner = [...member.children].find((child) => child.tagName === "value");
    if (inner) found[name] = read(inner);
  }
  return found;
}
