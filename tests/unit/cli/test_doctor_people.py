"""What doctor says of people: each line appears with what it is about, and is gone without."""

from dataclasses import replace

from tests import founded
from tests.unit.vault import sites

from oathward.cli.doctor_people import people
from oathward.core.db import connect
from oathward.vault.keeper import client

LEAKED = "new passwords are compared with the 30,000 leaked ones that are used most, few of which are long ([people] leaked_file names a longer list)"


def said(settings):
    return {(line.level, line.what.partition(":")[0]) for line in people(settings)}


def test_each_line_is_there_when_it_is_true(tmp_path):
    settings = sites.make_site(tmp_path / "data")
    assert said(settings) == {("note", "none")}
    with client.connect(settings, "admin") as admin:
        founded.found(admin, connect(settings.database_url), 1)
    assert said(settings) >= {("note", LEAKED)}
    settings = replace(settings, people=replace(settings.people, leaked_file="leaked"))
    assert {level for level, _ in said(settings)} == {"ok", "bad"}, "there is no such file"
    (settings.data / "leaked").write_text("no list\n")
    assert {level for level, _ in said(settings)} == {"ok", "bad"}
    (settings.data / "leaked").write_text(f"{'0' * 40}:1\n")
    assert {level for level, _ in said(settings)} == {"ok"}
    trial = replace(settings, people=replace(settings.people, links_sign_in=True))
    assert {level for level, _ in said(trial)} == {"ok", "bad"}
    oidc = replace(settings.oidc, issuer="https://id.example", client_id="c")
    assert {level for level, _ in said(replace(settings, oidc=oidc))} == {"ok", "note"}
    pinned = replace(settings, oidc=replace(oidc, keys_file="keys.json"))
    assert {level for level, _ in said(pinned)} == {"ok"}
