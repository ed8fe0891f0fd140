"""Simulated holders do what a page offers and nothing else; what must not work is told apart from what does."""

import asyncio
import time

import pytest
from tests.unit.oathward_sim.tiny_portal import ADDRESS, CODE, TinyPortal

from oathward_sim.browser import Browser
from oathward_sim.holder import Holder
from oathward_sim.mailbox import Mailbox


@pytest.fixture
def portal(tmp_path):
    found = TinyPortal(tmp_path)
    yield found
    found.close()


def holder(portal):
    return Holder(portal.base, ADDRESS, portal.folder)


def test_who_is_invited_comes_in_by_the_letter_alone(portal):
    portal.letter("Open this link:\n\nhttp://127.0.0.1:1/elsewhere\n", to="another@patients.example")
    portal.letter(f"Open this link to begin:\n\n{portal.base}/enrol?key=abcdef123456789\n")
    shown = asyncio.run(holder(portal).enrol(5))
    assert shown.text == "Home & more", "text as it is read, without script"
    assert portal.cookies[-1] == "before=1; session=secret"


def test_a_choice_is_found_by_its_place_and_answered_by_its_button(portal):
    async def both():
        one = holder(portal)
        await one.sign_in(5)
        return [await one.choose("Research registry", yes=yes) for yes in (True, False)]

    yes, no = asyncio.run(both())
    assert portal.answers == ["allowed", "not-allowed"]
    assert yes.took
    assert no.took
    assert yes.asked_s <= yes.told_s <= no.asked_s


def test_an_answer_that_was_not_taken_says_so_and_a_place_that_is_none_is_none(portal):
    async def late():
        one = holder(portal)
        await one.sign_in(5)
        page = await one.consider("Research registry")
        portal.ended = True
        with pytest.raises(LookupError):
            await one.choose("Nobody at all", yes=True)
        return await one.answer(page, yes=True)

    pressed = asyncio.run(late())
    assert (pressed.took, pressed.shown.status, portal.answers) == (False, 409, [])


@pytest.mark.parametrize(("tries_max", "shut"), [(5, True), (100, False)])
def test_guessing_is_shut_where_even_the_right_code_opens_nothing(tmp_path, tries_max, shut):
    portal = TinyPortal(tmp_path, tries_max)
    try:
        assert asyncio.run(holder(portal).guess(source="127.0.0.2", timeout_s=5)) is shut
    finally:
        portal.close()


def test_a_letter_counts_once_it_has_its_name_and_is_of_whom_it_names(tmp_path):
    box = Mailbox(tmp_path, ADDRESS)
    (tmp_path / ".half").write_text("To: you@patients.example\n\n111111")
    assert (box.letters(), box.newest_code) == ([], "")
    portal = TinyPortal(tmp_path)
    portal.close()
    portal.letter(f"Your code is {CODE}")
    portal.letter("Your code is 999999", to="another@patients.example")
    [one] = box.letters()
    assert (one.code, one.link, one.invites, box.newest_code) == (CODE, "", False, CODE)
    assert box.letters(since_s=time.time() + 5) == []
    with pytest.raises(TimeoutError):
        asyncio.run(box.wait("notice", 0.0, 0.1))


def test_a_browser_stays_at_its_site_and_forgets_when_closed(portal):
    async def go():
        one = Browser(portal.base)
        one._cookies["session"] = "secret"
        await one.open("/")
        one.close()
        await one.open("/choices")
        with pytest.raises(ValueError, match="plain HTTP"):
            await one.open("https://127.0.0.1/")
        return one

    asyncio.run(go())
    assert portal.cookies == ["session=secret", ""]
