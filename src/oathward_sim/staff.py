"""Staff at the console whose work a patient hears of: a clinician in an emergency, a clerk who is curious.

Rules:
- Each came by a link that signs one person in once; what they do they do on pages, by what a page offers.
- The clerk opens what the role permits and gives a purpose, but no reason anybody else would know of.

Deliberately absent: keys, the command line, anything a page does not offer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from oathward_sim.browser import Browser, Shown

_OPENED = ("What was kept for", "Part 1 for")
"""What the page of a message's content says over what was opened."""


@dataclass(slots=True)
class Staff:
    """One person at the console."""

    base: str
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.browser = Browser(self.base)

    @classmethod
    async def signed_in(cls, link: str) -> Staff:
        """Follow a link that signs somebody in.

        Raises:
            LookupError: it did not.
        """
        one = cls(link.partition("/sign-in")[0])
        form = (await one.browser.open(link)).form("/sign-in")
        if form is None or (await one.browser.press(form)).status != 200:
            raise LookupError("the link signed nobody in")
        return one

    async def find(self, number: str, authority: str) -> str:
        """Look a patient up by number; gives the address of their page, empty for nobody one may know of."""
        form = (await self.browser.open("/patients")).form("/patients/find")
        if form is None:
            return ""
        shown = await self.browser.press(form, number=number, authority=authority)
        path = urlsplit(shown.address).path
        return path if shown.status == 200 and path.startswith("/patients/") and "find" not in path else ""

    async def break_glass(self, patient: str, words: str) -> tuple[float, float]:
        """Break the glass for a patient; gives when the button was pressed, and when the data were there.

        Raises:
            LookupError: the page does not offer it, or nothing opened.
        """
        form = (await self.browser.open(f"{patient}/glass")).form(f"{patient}/glass", having="words")
        if form is None:
            raise LookupError("no form to break the glass")
        begun_s = time.time()
        shown = await self.browser.press(form, words=words)
        if shown.status != 200 or shown.form(f"{patient}/glass/end") is None:
            raise LookupError("the glass did not break")
        return begun_s, time.time()

    async def end_glass(self, patient: str) -> None:
        """End it by hand."""
        form = (await self.browser.open(patient)).form(f"{patient}/glass/end")
        if form is not None:
            await self.browser.press(form)

    async def snoop(self, device: str) -> bool:
        """Open the newest message of a device for no good reason; says whether anything was shown."""
        listed = await self.browser.open(f"/messages?device={device}")
        for _, to in listed.links:
            if (
                to.startswith("/messages/")
                and to.count("/") == 2
                and "?" not in to
                and not to.endswith("new")
            ):
                return await self._open(to)
        return False

    async def _open(self, message: str) -> bool:
        form = (await self.browser.open(f"{message}/content")).form(f"{message}/content")
        if form is None:
            return False
        shown = await self.browser.press(form, reason="looking something up")
        return shown.status == 200 and any(words in shown.text for words in _OPENED)

    async def page(self, address: str) -> Shown:
        """Look at a page."""
        return await self.browser.open(address)
