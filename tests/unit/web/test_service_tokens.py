"""Tokens of services on a page: seen and ended by who may, after a proof of two factors, and by nobody else."""

import hashlib
import re

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.web.people import console, copied

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import service_proof

SHOWN = hashlib.sha256(b"a certificate, as TLS proved it").hexdigest()


@pytest.fixture
def served(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        house.person("ada", Role.ADMINISTRATOR)
        house.person("ines", Role.INTEGRATION_ENGINEER)
        house.service("feed", "ines", certificate=SHOWN, roles=frozenset({Role.INTEGRATION_ENGINEER}))
        yield house, browser


def enter(served, who):
    house, browser = served
    _, phone = house.enrol(who, who)
    window = browser()
    window.sign_in(who, phone)
    house.time.pass_(seconds=60)
    return window, phone


def test_who_may_ends_a_token_after_a_proof_of_two_factors(served):
    house, _ = served
    ada, phone = enter(served, "ada")
    secret, _ = house.people.service_certificate(SHOWN, HERE)
    other, _ = house.people.service_certificate(SHOWN, HERE)
    page = ada.get("/people-services").text
    ids = re.findall(r'name="token-of-service" value="(\w+)"', page)
    assert len(ids) == 2
    house.time.pass_(seconds=595)
    asked = ada.post("/people-services", "/people-services/end", **{"token-of-service": ids[-1]})
    assert asked.headers["location"].startswith("/step-up")
    ada.post("/step-up", "/step-up", code=phone.code(), password=PASSWORD, both="yes")
    secret, _ = house.people.service_certificate(SHOWN, HERE)
    other, _ = house.people.service_certificate(SHOWN, HERE)
    assert house.app.session_check(service_proof(other), used=False)
    newest = re.findall(r'name="token-of-service" value="(\w+)"', ada.get("/people-services").text)
    ended = house.app.session_check(service_proof(secret), used=False).id
    assert ended in newest
    done = ada.post("/people-services", "/people-services/end", **{"token-of-service": ended})
    assert done.headers["location"] == "/people-services?done=ended"
    assert "The token has ended" in ada.get(done.headers["location"]).text
    assert refused(lambda: house.app.session_check(service_proof(secret), used=True)) is Reason.NOT_PERMITTED
    assert house.app.session_check(service_proof(other), used=True), "that one alone"
    [record] = [one for one in records(house.settings, "session.revoked") if one["body"]["session"] == ended]
    assert record["body"]["by"] == "ada"


def test_a_session_of_a_person_is_none_of_them_and_who_may_not_sees_none(served):
    house, _ = served
    ada, _ = enter(served, "ada")
    ines, _ = enter(served, "ines")
    house.people.service_certificate(SHOWN, HERE)
    [session] = house.keeper.sessions.listed("ines")[:1]
    other = ada.post("/people-services", "/people-services/end", **{"token-of-service": session.id})
    assert other.status_code == 404
    assert "token-of-service" not in ines.get("/people-services").text
    token = house.keeper.sessions.listed()[-1]
    assert token.visitor.kind == "service"
    assert ines.post("/account", "/people-services/end", **{"token-of-service": token.id}).status_code == 404
    assert token.id in {one.id for one in house.keeper.sessions.listed()}, "still there"
