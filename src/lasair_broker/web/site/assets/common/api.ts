// Asking the REST API from a page, as whoever is logged in.

/** The token that requests must carry which change something. */
export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

/** What the server says when it will not do what was asked: problem details (RFC 9457). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly problem: Record<string, unknown>,
  ) {
    super(message);
  }
}

/**
 * The JSON at an address of the API, such as "/api/v1/status/"; with a body, by POST or the method named.
 * Throws Refused with the server's words.
 */
export async function ask<T>(path: string, body?: unknown, options: RequestInit = {}): Promise<T> {
  const headers = new Headers({ Accept: "application/json", ...Object.fromEntries(new Headers(options.headers)) });
  const given: RequestInit = { credentials: "same-origin", ...options, headers };
  if (body !== undefined) {
    given.method ??= "POST";
    given.body = JSON.stringify(body);
    headers.set("Content-Type", "application/json");
  }
  if (given.method && given.method !== "GET") headers.set("X-CSRFToken", csrfToken());
  const response = await fetch(path, given);
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer as T;
  const problem = (answer ?? {}) as Record<string, unknown>;
  const detail = problem["detail"];
  throw new Refused(response.status, typeof detail === "string" ? detail : `The server answered ${response.status}.`, problem);
}
