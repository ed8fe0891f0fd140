"""Pictures of the patient portal in both languages and themes, as whoever tries the demo sees it: part of ``make screenshots``.

A demo is started as anybody starts it; its link and its codes are read off what it prints.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, Queue

from tests.e2e.browser import THEMES

LANGUAGES = {"en": "en-US", "es": "es-MX"}
SIZE, NARROW = {"width": 1024, "height": 900}, {"width": 320, "height": 640}
STAFF_DONE_S = 130
READY_S = 90


class Demo:
    """A demo with somebody before it. ``said``: every line so far."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self._lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "oathward.cli", "demo"],
            env=os.environ | {"TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def until(self, words: str, timeout_s: float) -> str:
        """Give the next line that has these words."""
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=min(left_s, 1.0))
            except Empty:
                if self.process.poll() is not None:
                    break
                continue
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"the demo never said {words!r}: {self.said[-5:]}")

    def end(self, timeout_s: float = 60) -> int:
        """End it as Ctrl-C does; gives its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """End it however it is."""
        self.process.kill()
        self.process.wait(20)


def shoot(chromium, folder: Path, out: Path) -> None:
    """Be the newcomer: come in, look, say no, look at what staff did; every page in both languages and themes."""
    folder.mkdir(exist_ok=True)
    demo = Demo(folder)
    try:
        link = demo.until("/enrol?key=", READY_S).strip()
        base = link.partition("/enrol")[0]
        kept = _come_in(chromium, demo, link, out)
        demo.until("An emergency at night", STAFF_DONE_S)
        for language, locale in LANGUAGES.items():
            for theme in THEMES:
                page = _window(chromium, locale, theme, kept)
                page.goto(f"{base}/language/{language}")
                _every_page(page, base, out / f"portal-{language}-{theme}")
                page.context.close()
        page = _window(chromium, LANGUAGES["es"], "light", kept, NARROW)
        page.goto(f"{base}/language/es")
        _every_page(page, base, out / "portal-es-narrow")
        page.context.close()
        for theme in THEMES:
            page = _window(chromium, LANGUAGES["en"], theme, kept)
            _before(page, base, out / f"portal-en-{theme}")
            page.context.close()
        _choose(chromium, kept, base, out / "portal-en-light")
        demo.end()
    finally:
        demo.close()


def _window(chromium, locale, theme, kept=None, size=None):
    context = chromium.new_context(
        viewport=size or SIZE, color_scheme=theme, locale=locale, java_script_enabled=False, reduced_motion="reduce",
        storage_state=kept,
    )  # fmt: skip
    context.set_default_timeout(20_000)
    return context.new_page()


def _come_in(chromium, demo: Demo, link: str, out: Path):
    """Enrol; gives what the browser keeps."""
    page = _window(chromium, LANGUAGES["en"], "light")
    page.goto(link)
    _picture(page, out / "portal-en-light", "welcome")
    page.locator("main button").click()
    page.wait_for_url("**/sign-in/code")
    _picture(page, out / "portal-en-light", "code")
    code = demo.until("your code: ", 30).rpartition(" ")[2]
    page.fill("#code", "000000")
    page.locator("main button").click()
    _picture(page, out / "portal-en-light", "code-wrong")
    page.fill("#code", code)
    page.locator("main button").click()
    page.wait_for_url(link.partition("/enrol")[0] + "/")
    kept = page.context.storage_state()
    page.context.close()
    return kept


def _every_page(page, base: str, folder: Path) -> None:
    """Every page of the menu, the first choice, the first proof, and one that is none."""
    page.goto(base + "/")
    paths = [one.get_attribute("href") for one in page.locator("nav.menu a").all()]
    for path in paths:
        page.goto(base + path)
        _picture(page, folder, path.strip("/").replace("/", "-") or "home")
    page.goto(base + "/choices")
    further = page.locator("main a[href^='/choices/']")
    if further.count():
        page.goto(base + further.last.get_attribute("href"))
        _picture(page, folder, "choice")
    page.goto(base + "/no-such-page")
    _picture(page, folder, "no-page")


def _before(page, base: str, folder: Path) -> None:
    page.goto(base + "/left")
    _picture(page, folder, "left")
    page.context.clear_cookies()
    page.goto(base + "/sign-in")
    _picture(page, folder, "sign-in")


def _choose(chromium, kept, base: str, folder: Path) -> None:
    page = _window(chromium, LANGUAGES["en"], "light", kept)
    page.goto(base + "/choices/HRESCH.research-registry")
    page.locator("button[value=not-allowed]").click()
    _picture(page, folder, "choice-done")
    page.context.close()


def _picture(page, folder: Path, name: str) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)
