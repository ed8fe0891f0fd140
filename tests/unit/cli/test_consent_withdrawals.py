"""``oathward consent withdrawals``: by link and one by one, and it ends with 1 where a part is silent."""

import time

import pytest
from tests.site import Site, bundle
from tests.unit.cli.test_consent_explain import WHO, command

from oathward.consent import sql
from oathward.consent.model import EffectRow
from oathward.core.db import connect, write
from oathward.core.settings import load

__all__ = ["command"]


@pytest.fixture
def subject(command, data):
    Site(data).activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    assert command("consent", "withdrawals").value == {"links": [], "withdrawals": []}
    said = ("--deny", "--purpose", "TREAT", "--recipient", "ehr", "--identifier-file", "-")
    return command("consent", "record", *said, stdin=WHO).value["subject"]


def noted(data, subject, *processes):
    settings = load(data)
    engine = connect(settings.database_url)
    at_us = int((time.time() - 5) * 1e6)
    rows = [
        EffectRow(settings.site.name, subject, 1, "ehr", one, at_us, at_us + 250_000, 4) for one in processes
    ]
    with write(engine) as db:
        sql.put_effects(db, rows)
    engine.dispose()


def test_what_was_noted_is_shown_and_silence_ends_with_one(command, data, subject):
    noted(data, subject, "gateway")
    silent = command("consent", "withdrawals")
    assert silent.code == 1
    assert silent.value["withdrawals"][0]["links"][0]["unheard"] == ["courier"]
    assert "not reported: ehr" in command("consent", "withdrawals", plain=True).out
    noted(data, subject, "courier")
    done = command("consent", "withdrawals", "--subject", subject)
    assert done.code == 0
    assert done.value["links"] == [
        {
            "link": "ehr",
            "count": 1,
            "p50_ms": 250,
            "worst_ms": 250,
            "withdrawn": 8,
            "in_flight": 0,
            "unheard": 0,
        }
    ]
    assert "0.25 s" in command("consent", "withdrawals", plain=True).out
