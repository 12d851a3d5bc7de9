/** What the page's view gave with `json_script` under this id. */
export function pageData<T>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no data ${id}`);
  return JSON.parse(element.textContent ?? "") as T;
}
