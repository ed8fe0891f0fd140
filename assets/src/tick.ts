// Ticking: the box in a table's head ticks every row of the page, or none.

export function ticking(): void {
  document.addEventListener("change", (event) => {
    const all = event.target;
    if (!(all instanceof HTMLInputElement) || !("tickAll" in all.dataset)) return;
    const boxes = all.closest("table")?.querySelectorAll<HTMLInputElement>("tbody input[type=checkbox]") ?? [];
    for (const box of boxes) box.checked = all.checked;
  });
}
