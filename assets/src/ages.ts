// Ages: `<time data-age>` says "3 min ago" and goes on counting, so that a page left open wears its age.
// The server writes the same words (web/words.py); a page older than `data-stale-s` says that it is.

const STEPS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

const YEAR_S = 31_557_600; // 365.25 days; an age is said in years from two on

export function ages(): void {
  const skew = Date.now() - served();
  window.setInterval(() => tick(Date.now() - skew), 5_000);
}

function served(): number {
  const at = document.querySelector<HTMLTimeElement>("time[data-served]")?.dateTime;
  return at ? Date.parse(at) : Date.now();
}

function tick(now: number): void {
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-age]")) {
    const words = age((now - Date.parse(element.dateTime)) / 1_000);
    if (element.textContent !== words) element.textContent = words;
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-stale-s]")) {
    const at = element.querySelector<HTMLTimeElement>("time");
    const old = at !== null && now - Date.parse(at.dateTime) > Number(element.dataset["staleS"]) * 1_000;
    element.classList.toggle("stale", old);
  }
}

export function age(seconds: number): string {
  if (seconds < 2) return "now";
  if (seconds >= 2 * YEAR_S) return `${Math.floor(seconds / YEAR_S)} y ago`;
  for (const [size, unit] of STEPS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return "now";
}
