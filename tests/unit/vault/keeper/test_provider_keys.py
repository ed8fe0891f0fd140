"""Promises about the provider's keys: each new one is on record, and what is remembered of them is bounded."""

import json
from dataclasses import replace

import pytest
from joserfc.jwk import ECKey
from tests.unit.vault.keeper import test_provider as with_provider
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.vault.keeper.test_provider import begun, claims, finish, token

from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in import provider

house = with_provider.house


@pytest.fixture
def fresh(house, monkeypatch):
    """Sign in with a key that nobody has seen."""

    def act():
        key = ECKey.generate_key("P-256", {"kid": "n"})
        monkeypatch.setitem(with_provider.KEYS, "n", key)
        found = begun(house)
        signed = token(claims(house, found.nonce), key="n")
        return finish(house, found, signed, keys={"keys": [key.as_dict(private=False)]})

    return act


def test_a_day_takes_a_few_new_keys_and_goes_on_with_those_it_knows(house, fresh):
    for _ in range(provider.KEYS_NEW_MAX):
        assert fresh().state == "enrol"
    assert refused(fresh) is Reason.PROVIDER_KEY
    assert len(records(house.settings, "provider.key-seen")) == provider.KEYS_NEW_MAX
    house.time.pass_(hours=24, seconds=1)
    assert fresh().state == "enrol", "the next day it may change its keys again"


def test_a_key_it_knows_signs_on_when_the_day_is_full(house, fresh):
    first = begun(house)
    finish(house, first, token(claims(house, first.nonce)))
    for _ in range(provider.KEYS_NEW_MAX - 1):
        fresh()
    assert refused(fresh) is Reason.PROVIDER_KEY
    again = begun(house)
    assert finish(house, again, token(claims(house, again.nonce))).state == "enrol"


def test_the_oldest_is_forgotten_where_there_are_too_many(house, fresh):
    with house.keeper.store.transaction():
        for n in range(provider.KEYS_KNOWN_MAX + 50):
            house.keeper.store.rows("INSERT INTO provider_key VALUES (?, ?)", f"old {n:04}", n)
    fresh()
    kept = [id_ for (id_,) in house.keeper.store.rows("SELECT id FROM provider_key ORDER BY seen_us")]
    assert len(kept) == provider.KEYS_KNOWN_MAX
    assert kept[0] == "old 0051"


def test_pinned_keys_are_as_many_as_the_file_says(house, fresh):
    house.keeper.store.many(
        "INSERT INTO provider_key VALUES (?, ?)",
        [(f"k{n}", house.keeper.now_us()) for n in range(provider.KEYS_NEW_MAX)],
    )
    assert refused(fresh) is Reason.PROVIDER_KEY
    shown = json.dumps({"keys": [with_provider.KEYS["e"].as_dict(private=False)]})
    house.settings.data.joinpath("idp.json").write_text(shown)
    oidc = replace(house.keeper.settings.oidc, keys_file="idp.json")
    house.keeper.settings = replace(house.keeper.settings, oidc=oidc)
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce))).state == "enrol"
