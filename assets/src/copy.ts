// Copying: a button with `data-copy` puts that text on the clipboard and says so for a moment.

export function copying(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null;
    const text = button?.dataset["copy"];
    if (!button || !text) return;
    void navigator.clipboard?.writeText(text).then(() => {
      const before = button.textContent;
      button.textContent = "Copied";
      window.setTimeout(() => (button.textContent = before), 1_500);
    });
  });
}
