"""Promises of the one probe on an endpoint's page: who is offered it, what must be said, and that one look orders nothing."""

import re
from dataclasses import replace
from itertools import count

import pytest
from tests.unit.web.test_nothing_to_see import prepared  # noqa: F401  the site with two vendors
from tests.unit.web.viewers import BASE, COOKIE, bearer, console_of, viewer, visit

from oathward.app import build
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.discovery.probing import connecting
from oathward.discovery.probing.probe import Outcome, Told
from oathward.endpoints import actions, deciding, probes, views

NUMBERS = count()
ENGINEER = Role.CLINICAL_ENGINEER
STALE, LOOKS = "stale-secret-of-forty-characters-or-so-xx", "looks-secret-of-forty-characters-or-so-xx"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def opened(prepared):  # noqa: F811  the fixture above
    site = build(prepared.settings, "app")
    settings = replace(site.settings, network=replace(site.settings.network, probes=True))
    yield replace(site, settings=settings)
    site.keeper.close()
    site.engine.dispose()


@pytest.fixture
def asked(monkeypatch):
    """In place of the connection."""
    calls = []

    def ask(*what):
        calls.append(what)
        return Told(Outcome.DECLINED, (Fact("server-software", HOSTILE, 0.6),), detail=HOSTILE)

    monkeypatch.setattr(connecting, "ask", ask)
    return calls


@pytest.fixture
def pump(opened):
    """An endpoint of its own for each test, of little consequence."""
    number = next(NUMBERS)
    address = f"10.77.{number // 250}.{number % 250 + 1}"
    now_us = micros(opened.clock.now())
    marks = (Mark(MarkKind.ADDRESS, address),)
    actions.take(
        opened.engine, opened.site, [Statement(now_us, "pcap.arp", opened.site, marks)], now_us, "test"
    )
    with read(opened.engine) as db:
        [row] = views.page(db, opened.site, views.Filters(search=address)).rows
    known = {"criticality": "low", "consequence": "none"}
    deciding.describe(opened.engine, opened.site, [row.id], known, by="p", now_us=now_us)
    return row.id, address


def console(opened, monkeypatch, role=ENGINEER, **visits):
    known = {STALE: visit(role, fresh=False), LOOKS: replace(visit(role), acts=False)} | visits
    app, _ = console_of(opened, monkeypatch, **known)
    return viewer(app, role)


def post(client, id_, **fields):
    text = client.get(f"/inventory/{id_}").text
    token = re.search(r'name="token" value="([0-9a-f]{64})"', text)[1]
    address = re.search(r'name="address" value="([^"]*)"', text)
    form = {"with": "http", "port": "80", "reason": "which server?", "although": "use-unknown"}
    form |= {"token": token, "address": address[1] if address else ""} | fields
    return client.post(f"/inventory/{id_}/probe", data=form, headers={"origin": BASE})


def test_the_page_says_what_is_asked_where_and_at_which_risk(opened, pump, asked, monkeypatch):
    id_, address = pump
    form = console(opened, monkeypatch).get(f"/inventory/{id_}").text.partition("Probe it once</h2>")[2]
    assert f"One connection to {address}" in form
    kinds = re.findall(r'<option value="([a-z-]+)">', form)
    assert kinds == ["tcp", "tls", "http", "dicom-echo"], "what sends least stands first"
    boxes = re.findall(r'name="although" value="([^"]+)"([^>]*)>', form)
    assert boxes == [("use-unknown", " required")], "each risk a box, and none ticked"
    assert asked == []


def test_the_order_is_carried_out_once_and_stands_on_the_page(opened, pump, asked, monkeypatch):
    id_, address = pump
    client = console(opened, monkeypatch)
    answer = post(client, id_)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/inventory/{id_}#probe")
    assert asked == [("http", address, 80, "")]
    with read(opened.engine) as db:
        [done] = probes.of_endpoint(db, opened.site, [id_])
    assert done.by == "p-1", "who they are, not what they are called"
    text = client.get(f"/inventory/{id_}").text
    assert "which server?" in text
    assert "it speaks the protocol, and declined" in text
    assert HOSTILE not in text, "what a device says is printed, never believed"
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"although": ""}, "names a risk that there is not"),
        ({"although": "in-use"}, "use-unknown"),
        ({"port": "0"}, "1 to 65535"),
        ({"port": "80-90"}, "1 to 65535"),
        ({"with": "nmap"}, "one of tcp, tls, http, dicom-echo"),
        ({"reason": " "}, "say why"),
        ({"address": "10.9.9.9"}, "is another by now"),
    ],
)
def test_what_is_not_said_right_opens_nothing(opened, pump, asked, monkeypatch, fields, words):
    answer = post(console(opened, monkeypatch), pump[0], **fields)
    assert (answer.status_code, words in answer.text, asked) == (422, True, [])


def test_where_settings_permit_none_there_is_no_form_and_no_probe(opened, pump, asked, monkeypatch):
    off = replace(
        opened, settings=replace(opened.settings, network=replace(opened.settings.network, probes=False))
    )
    client = console(off, monkeypatch)
    assert "Probe it once" not in client.get(f"/inventory/{pump[0]}").text
    answer = post(client, pump[0])
    assert (answer.status_code, "are off here" in answer.text, asked) == (422, True, [])


@pytest.mark.parametrize("role", [Role.SECURITY_ANALYST, Role.INTEGRATION_ENGINEER])
def test_others_who_work_on_the_inventory_are_offered_none(opened, pump, asked, monkeypatch, role):
    client = console(opened, monkeypatch, role)
    assert "Probe it once" not in client.get(f"/inventory/{pump[0]}").text
    assert (post(client, pump[0]).status_code, asked) == (404, [])


def test_a_proof_that_is_not_fresh_is_asked_for_and_the_words_are_kept(opened, pump, asked, monkeypatch):
    client = console(opened, monkeypatch)
    client.cookies.set(COOKIE, STALE)
    answer = post(client, pump[0], reason="which server is it?")
    assert answer.headers["location"].startswith("/step-up?next=")
    assert asked == []
    assert 'value="which server is it?"' in client.get(f"/inventory/{pump[0]}").text


def test_a_session_for_looking_orders_nothing(opened, pump, asked, monkeypatch):
    client = console(opened, monkeypatch)
    client.cookies.set(COOKIE, LOOKS)
    assert "Probe it once" not in client.get(f"/inventory/{pump[0]}").text
    answer = post(client, pump[0])
    assert (answer.status_code in {403, 404}, asked) == (True, [])


def test_the_api_takes_the_same_order_and_refuses_the_same(opened, pump, asked, monkeypatch):
    id_, address = pump
    client, path = console(opened, monkeypatch), f"/api/v1/inventory/{id_}/probes"
    client.cookies.clear()
    wanted = {"kind": "tcp", "port": 104, "reason": "is it up?"}
    held = client.post(path, json=wanted, headers=bearer(ENGINEER))
    assert (held.status_code, held.json()["code"], asked) == (409, "probe.at-risk", [])
    others = client.post(path, json=wanted, headers=bearer(Role.SECURITY_ANALYST))
    stale = client.post(path, json=wanted, headers={"authorization": f"Bearer p_{STALE}"})
    assert (others.status_code, stale.json()["code"], asked) == (404, "access.step-up", [])
    made = client.post(path, json=wanted | {"although": ["use-unknown"]}, headers=bearer(ENGINEER))
    assert (made.status_code, made.json()["outcome"], made.json()["address"]) == (201, "declined", address)
    assert asked == [("tcp", address, 104, "")]
