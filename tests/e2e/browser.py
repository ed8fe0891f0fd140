"""A real browser on a real site's console: Debian's Chromium, driven by Playwright, watched for every complaint it makes.

What fails a test without being asked for: a violation of the content security policy, an error on the browser's
console, an exception in a script, an answer of 500 or more, a request that leaves this machine.
"""

import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oathward.vault.keeper import client
from oathward.vault.keeper.proof import admin_proof

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Debian's chromium is not installed")
THEMES = ("light", "dark")
WIDE = {"width": 1440, "height": 900}
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@contextmanager
def browser():
    """Chromium, with a profile of its own that is gone afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()


def axe_source() -> str:
    """axe-core, from the asset package's development dependencies."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import assets
    finally:
        sys.path.pop(0)
    return (assets.modules(development=True) / "axe-core" / "axe.min.js").read_text()


@dataclass
class Console:
    """One person's browser window on a site's console."""

    page: object
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/"):
        """Go to an address of the console."""
        return self.page.goto(self.base + path, wait_until="load")

    def use(self, link: str) -> None:
        """Open a one-time link and press Enter: the button has the focus."""
        self.page.goto(link)
        self.page.wait_for_function("document.activeElement.tagName === 'BUTTON'")
        self.press("Enter")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, text: str, most: int = 80):
        """Move the focus with Tab until it is on what says so; fails where it never gets there."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            said = self.page.evaluate(
                "() => { const e = document.activeElement; return (e.labels?.[0]?.innerText || e.innerText || e.value || '').trim() }"
            )
            if said == text or said.startswith(text):
                return self.page.evaluate_handle("document.activeElement")
        raise AssertionError(f"the Tab key never came to {text!r}")

    def violations(self, axe: str) -> list[str]:
        """What axe finds on the page as it is, against WCAG 2.2 A and AA."""
        self.page.evaluate(axe + "\n;null")
        found = self.page.evaluate(
            "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", list(TAGS)
        )
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@contextmanager
def window(launched, base: str, *, theme: str = "light", size=None, forgiven: tuple[str, ...] = ()):
    """A window with cookies of its own; what the browser complained about fails at the end.

    Args:
        forgiven: parts of complaints that this test provokes.
    """
    context = launched.new_context(color_scheme=theme, viewport=size or WIDE, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = context.new_page()
    console = Console(page, base)
    say = console.complaints.append
    page.on("console", lambda m: say(f"console: {m.text}") if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: say(f"script: {e}"))
    page.on("response", lambda r: say(f"answer {r.status}: {r.url}") if r.status >= 500 else None)
    page.on("request", lambda r: None if r.url.startswith((base, "data:")) else say(f"elsewhere: {r.url}"))
    try:
        yield console
    finally:
        context.close()
    left = [c for c in console.complaints if not any(part in c for part in forgiven)]
    assert left == []


def link_for(site, *, person: str = "Dana", look: bool = False) -> str:
    """What `oathward console` prints; asked of the keeper at once, which is quicker than a command."""
    port = site.status("app")["ports"]["console"]
    with client.connect(site.settings, "admin", become=False) as keeper:
        key = keeper.session_invite(admin_proof(person), acts=not look)
    return f"http://127.0.0.1:{port}/sign-in?key={key}"


@contextmanager
def signed_in(launched, site, *, person: str = "Dana", theme: str = "light", look: bool = False, **more):
    """A window in which somebody is signed in by a one-time link."""
    link = link_for(site, person=person, look=look)
    base = link.partition("/sign-in")[0]
    with window(launched, base, theme=theme, **more) as console:
        console.use(link)
        console.page.wait_for_url(base + "/")
        yield console
