"""A patient, or who acts for one, at the patient portal: a browser and a letter box, and nothing else.

Rules:
- They know their mail address and read what comes to it; what they can do is what a page offers them.
- A choice is found as anybody finds it: by the name of the place on the page, and the button that says yes or no.
- Each thing done is timed by their own clock: when they pressed, and when the answer was there.

Deliberately absent: any key, id or address of the product's inside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from oathward_sim.browser import Browser, Button, Form, Shown
from oathward_sim.mailbox import Mailbox

GUESSES = 6
"""So many wrong codes, and the right one must open nothing any more."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What became of a button. ``asked_s``, ``told_s``: when it was pressed and answered; seconds since 1970."""

    asked_s: float
    told_s: float
    shown: Shown

    @property
    def took(self) -> bool:
        """Whether the site said yes."""
        return self.shown.status == 200


@dataclass(slots=True)
class Holder:
    """One person at the portal.

    Args:
        base: where the portal is. address: theirs, of mail. letters: the folder of letters.
    """

    base: str
    address: str
    letters: Path
    language: str = "en"
    browser: Browser = field(init=False)
    mail: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        self.browser = Browser(self.base, self.language)
        self.mail = Mailbox(self.letters, self.address)

    async def enrol(self, timeout_s: float = 30.0) -> Shown:
        """Follow the invitation's link, have a code sent, type it.

        Raises:
            TimeoutError: a letter did not come. LookupError: a page did not offer what it must.
        """
        letter = await self.mail.wait("invitation", 0.0, timeout_s)
        asked_s = time.time()
        await self.browser.press(_form(await self.browser.open(letter.link), "/enrol"))
        return await self._type(asked_s, timeout_s)

    async def sign_in(self, timeout_s: float = 30.0) -> Shown:
        """Ask for a code and type it; raises as ``enrol``."""
        self.browser = Browser(self.base, self.language)
        asked_s = time.time()
        page = await self.browser.open("/sign-in")
        await self.browser.press(_form(page, "/sign-in"), address=self.address)
        return await self._type(asked_s, timeout_s)

    async def _type(self, asked_s: float, timeout_s: float) -> Shown:
        letter = await self.mail.wait("code", asked_s - 0.05, timeout_s)
        assert self.browser.shown is not None  # the page that asks for it
        shown = await self.browser.press(_form(self.browser.shown, "/sign-in/code"), code=letter.code)
        if not _inside(shown):
            raise LookupError("a right code did not sign in")
        return shown

    async def read(self, path: str) -> Shown:
        """Look at a page."""
        return await self.browser.open(path)

    async def choose(self, place: str, *, yes: bool) -> Pressed:
        """Say yes or no to one place, by the page of choices.

        Raises:
            LookupError: the page does not offer it.
        """
        asked = await self.consider(place)
        return await self.answer(asked, yes=yes)

    async def consider(self, place: str) -> Shown:
        """Open the page of one choice, as somebody does who reads before they choose; raises as ``choose``."""
        choices = await self.browser.open("/choices")
        to = choices.link(place)
        if choices.status != 200 or not to:
            raise LookupError("no such choice")
        return await self.browser.open(to)

    async def answer(self, asked: Shown, *, yes: bool) -> Pressed:
        """Press yes or no on the page of a choice; raises as ``choose``."""
        found = _answer(asked, yes=yes)
        if found is None:
            raise LookupError("no such answer")
        begun_s = time.time()
        shown = await self.browser.press(*found)
        return Pressed(begun_s, time.time(), shown)

    async def guess(self, *, source: str = "", timeout_s: float = 30.0) -> bool:
        """Guess codes as somebody who has the address and not the letters; says whether even the right one opens nothing then.

        Args:
            source: where they come from: what they do is counted against that address as well.

        Raises:
            TimeoutError: no code was sent. LookupError: a guess signed in.
        """
        thief, asked_s = Browser(self.base, self.language, source), time.time()
        asked = await thief.press(_form(await thief.open("/sign-in"), "/sign-in"), address=self.address)
        right = (await self.mail.wait("code", asked_s - 0.05, timeout_s)).code
        for number in range(GUESSES):
            guess = f"{(int(right) + 1 + number) % 10 ** len(right):0{len(right)}d}"
            asked = await self._tried(thief, asked, guess)
            if _inside(asked):
                raise LookupError("a guess signed in")
        return not _inside(await self._tried(thief, asked, right))

    async def _tried(self, thief: Browser, page: Shown, code: str) -> Shown:
        form = page.form("/sign-in/code")
        return page if form is None else await thief.press(form, code=code)


def _inside(page: Shown) -> bool:
    return page.status == 200 and urlsplit(page.address).path == "/"


def _form(page: Shown, action: str) -> Form:
    found = page.form(action)
    if found is None:
        raise LookupError(f"no form that goes to {action}")
    return found


def _answer(page: Shown, *, yes: bool) -> tuple[Form, Button] | None:
    """Find the button of an answer: by the value that goes with it."""
    wanted = "allowed" if yes else "not-allowed"
    for form in page.forms:
        for button in form.buttons:
            if button.value == wanted:
                return form, button
    return None
