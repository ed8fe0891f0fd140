// Keys: `?` lists them, `g` and a letter or digit goes to a page, `/` to the filter, `j` and `k` along rows, `n` shows new rows.
// Keys do nothing while somebody writes, and none of them changes anything: actions are buttons.

const FIELDS = "input, select, textarea, [contenteditable]";
let going = 0;

export function keys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target instanceof Element && event.target.closest(FIELDS)) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    if (act(event.key)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("[data-keys-open]")) help();
    if (target?.closest("[data-keys-close]")) dialog()?.close();
  });
}

function act(key: string): boolean {
  if (going) {
    const link = document.querySelector<HTMLAnchorElement>(`nav a[data-key="${CSS.escape(key)}"]`);
    window.clearTimeout(going);
    going = 0;
    link?.click();
    return link !== null;
  }
  switch (key) {
    case "?":
      return help();
    case "g":
      going = window.setTimeout(() => (going = 0), 1500);
      return true;
    case "/":
      return focus(document.querySelector<HTMLElement>("form.filters input, form.filters select"));
    case "j":
      return step(1);
    case "k":
      return step(-1);
    case "n":
      return press(document.querySelector<HTMLElement>("[data-new] a:not(:has(span:empty))"));
    default:
      return false;
  }
}

function dialog(): HTMLDialogElement | null {
  return document.querySelector<HTMLDialogElement>("dialog#keys");
}

function help(): boolean {
  const box = dialog();
  if (!box) return false;
  if (box.open) box.close();
  else box.showModal();
  return true;
}

function step(by: number): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("main tbody tr")]
    .map((row) => row.querySelector<HTMLElement>("a, button"))
    .filter((link): link is HTMLElement => link !== null);
  const here = document.activeElement?.closest("tr");
  const at = rows.findIndex((link) => link.closest("tr") === here);
  return focus(rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by]);
}

function focus(element: HTMLElement | null | undefined): boolean {
  element?.focus();
  return Boolean(element);
}

function press(element: HTMLElement | null): boolean {
  element?.click();
  return Boolean(element);
}
