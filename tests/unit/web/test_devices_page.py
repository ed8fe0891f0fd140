"""Devices: who is not known, and what people are told before they make one of those ours."""

import html

import pytest

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.inventory import actions, views
from oathward.inventory.model import Device, Peer
from oathward.web.pages import devices

NAME = "IMPOSTOR-77"
WARNING = f"calls itself like {NAME}: an impostor?"


@pytest.fixture
def namesake(prepared, opened):
    """A known device with a certificate, and somebody of its name with another one."""
    with read(opened.engine) as db:
        known = views.one(db, opened.site, NAME, opened.authority, opened.seen)
    if known is None:
        prepared.add(Device(id=NAME, kind="pump", certificates=frozenset({"07" * 32})))
    with write(opened.engine) as db:
        now_us = micros(opened.clock.now())
        return actions.remember_unknown(
            db, opened.site, Peer("10.9.9.9", b"\x08" * 32), (NAME.encode(), b""), now_us
        )


@pytest.mark.parametrize("page", ["/devices/unknown", "/devices/unknown/{id}"])
def test_a_namesake_with_another_certificate_is_called_an_impostor(browser, namesake, page):
    browser.sign_in()
    text = html.unescape(browser.get(page.format(id=namesake)).text)
    assert WARNING.lower() in text.lower()


def test_a_form_that_was_refused_still_warns(browser, namesake):
    browser.sign_in()
    answer = browser.post(f"/devices/unknown/{namesake}", {"id": "x", "kind": "pump", "reason": "seen it"})
    assert answer.status_code == 422
    assert WARNING.lower() in answer.text.lower()


def test_without_a_look_at_the_known_nobody_would_be_warned(browser, namesake, monkeypatch):
    """The reverse; and an estate too large to look at does not hold the page up."""
    monkeypatch.setattr(devices, "KNOWN_MAX", 0)
    browser.sign_in()
    answer = browser.get(f"/devices/unknown/{namesake}")
    assert answer.status_code == 200
    assert "impostor?" not in answer.text
