"""Make a picture of every page of the console and the patient portal, in both themes, to look at: ``make screenshots``.

Rules:
- A site of its own with made-up patients (``tests/e2e/console_site.py``), real processes, Debian's Chromium.
- Pictures go into ``screenshots/``, which git ignores: ``THEME/PAGE.png``, and some as on paper, narrow, or without script.
- Names on the command line take only those pages; ``portal`` takes the patient portal's, of a demo's site.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.e2e import portal_pictures, sign_in_pictures
from tests.e2e.browser import CHROMIUM, THEMES, WIDE, browser, link_for, signed_in, window
from tests.e2e.console_pages import addresses
from tests.e2e.console_site import busy_site

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "screenshots"
NARROW = {"width": 720, "height": 900}


def main(wanted: list[str]) -> int:
    """Make the pictures."""
    if not CHROMIUM:
        print("screenshots: needs Debian's chromium (`apt-get install chromium`)", file=sys.stderr)
        return 69
    shutil.rmtree(OUT, ignore_errors=True)
    if not wanted or "portal" in wanted:
        with tempfile.TemporaryDirectory() as folder, browser() as chromium:
            portal_pictures.shoot(chromium, Path(folder), OUT)
    if wanted != ["portal"]:
        _console(wanted)
    print(f"screenshots: {len(list(OUT.rglob('*.png')))} pictures in {OUT.relative_to(ROOT)}/")
    return 0


def _console(wanted: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        busy_site(Path(folder) / "site") as site,
        browser() as chromium,
    ):
        pages = {n: a for n, a in addresses(site).items() if not wanted or n in wanted}
        for theme in THEMES:
            shoot(chromium, site, theme, pages)
        if not wanted or "account" in wanted:
            sign_in_pictures.shoot(chromium, Path(folder) / "people", OUT)


def shoot(chromium, site, theme: str, pages: dict[str, str]) -> None:
    """Make the pictures of one theme."""
    folder = OUT / theme
    link = link_for(site)
    base = link.partition("/sign-in")[0]
    with window(chromium, base, theme=theme) as console:
        for name, address in (("sign-in", "/sign-in"), ("sign-in-link", link.removeprefix(base))):
            console.open(address)
            console.page.screenshot(path=folder / f"{name}.png", full_page=True)
    with signed_in(chromium, site, theme=theme, forgiven=("404",)) as console:
        for name, address in (pages | {"no-page": "/no-such-page"}).items():
            console.open(address)
            console.page.screenshot(path=folder / f"{name}.png", full_page=True)
        console.open("/")
        console.press("?")
        console.page.screenshot(path=folder / "keys.png")
        if theme == "light":
            for name, address in pages.items():
                console.page.set_viewport_size(NARROW)
                console.open(address)
                console.page.screenshot(path=OUT / "narrow" / f"{name}.png", full_page=True)
                console.page.set_viewport_size(WIDE)
                console.page.emulate_media(media="print")
                console.page.screenshot(path=OUT / "print" / f"{name}.png", full_page=True)
                console.page.emulate_media(media="screen")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
