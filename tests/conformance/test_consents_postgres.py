"""Consents on PostgreSQL: imported with their originals sealed, opened again, and pending while they wait for a person."""

import io
import json
import sys
from hashlib import sha256
from types import SimpleNamespace

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.cli.test_consent_fhir import SYSTEM, consent
from tests.unit.consent import test_arrived
from tests.unit.consent.conftest import Office

from oathward.app import create
from oathward.cli.main import run
from oathward.core.db import connect, create_tables
from oathward.core.ids import uuid7
from oathward.core.settings import load

pytestmark = needs_postgres


@pytest.fixture
def command(postgres_url, tmp_path, capsys, monkeypatch):  # noqa: F811  the fixture
    folder = tmp_path / "data"
    folder.mkdir()
    text = f'[database]\nurl = "{postgres_url}"\n[patients.authorities]\nHOSP = ["{SYSTEM}"]\n'
    (folder / "oathward.toml").write_text(text)
    create(load(folder))

    def go(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        code = run(["consent", *arguments, "--data", str(folder), "--json"])
        out, error = capsys.readouterr()
        assert code == 0, error
        return json.loads(out)

    return go


def test_originals_lie_in_the_table_and_open(command, tmp_path):
    lines = [json.dumps(consent(type_)).encode() for type_ in ("permit", "deny")]
    for n, line in enumerate(lines):
        done = command("import", "--fhir", "-", stdin=line)
        assert (done["recorded"], done["unknown_patients"]) == (1, 1 - n)
    [row] = command("list")["consents"]
    assert list(row["originals"]) == [sha256(lines[1]).hexdigest()]
    out = tmp_path / "out"
    found = command("export", row["subject"], "--out", str(out), "--every-version")["originals"]
    assert [(out / one["file"]).read_bytes() for one in found] == lines


def test_what_arrived_pends_until_it_is_settled(postgres_url):  # noqa: F811  the fixture
    engine = connect(postgres_url)
    create_tables(engine)
    office = Office(engine)
    test_arrived.test_what_arrived_pends_until_it_is_settled(office, uuid7())
    engine.dispose()
