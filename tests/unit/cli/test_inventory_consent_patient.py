"""``oathward device``, ``consent`` and ``patient`` on a real data folder, the keeper in this process."""

import io
import json
import stat
import sys
from types import SimpleNamespace

import pytest
from tests.site import Site, bundle
from tests.unit.patients.making import FEED, adt, mrg, pid

from oathward.app import build
from oathward.cli.main import run
from oathward.core.db import connect, read, write
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.inventory.model import Peer
from oathward.inventory.snapshot import Snapshot
from oathward.inventory.strangers import remember_unknown
from oathward.ledger import append, prepare
from oathward.patients import actions
from oathward.patients.resolver import Resolver
from oathward.vault import care_rows
from oathward.vault.care_rows import Stamps, Tie

SECRET = "31415926"
WHO = f"{SECRET}^^^HOSP^MR\n"


@pytest.fixture
def command(data, capsys, monkeypatch):
    def go(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        code = run([*arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return SimpleNamespace(code=code, value=json.loads(out) if out.strip() else None, error=err)

    return go


def engine_of(data):
    return connect(load(data).database_url)


def kinds(data):
    with read(engine_of(data)) as db:
        sql = "SELECT kind FROM ledger_record WHERE kind LIKE 'device%' OR kind LIKE 'consent%' ORDER BY idx"
        return [kind for (kind,) in db.exec_driver_sql(sql)]


class TestDevice:
    def test_from_nothing_to_a_certificate_that_identifies(self, command, data):
        assert command("device", "add", "pump-1", "--kind", "pump", "--sender", "PUMP-01").code == 0
        made = command("device", "cert", "pump-1").value["certificates"][0]
        assert stat.S_IMODE((data / "certificates" / "pump-1.key").stat().st_mode) == 0o600
        assert (data / "certificates" / "pump-1.pem").read_text().startswith("-----BEGIN CERTIFICATE")
        site = build(load(data), "gateway")
        snapshot = Snapshot(site.site, site.authority, site.seen)
        with read(site.engine) as db:
            snapshot.refresh(db)
        site.keeper.close()
        peer = Peer("10.0.0.9", bytes.fromhex(made["sha256"]))
        assert snapshot.identify(peer, (b"PUMP-01", b"")).device.id == "pump-1"
        key = (data / "certificates" / "pump-1.key").read_bytes()
        assert command("device", "cert", "pump-1").code == 65, "a key is never overwritten"
        assert command("device", "show", "pump-1").value["certificates"] == [made["sha256"]]
        assert (data / "certificates" / "pump-1.key").read_bytes() == key
        elsewhere = ("--out", str(data / "new"))
        again = command("device", "cert", "pump-1", *elsewhere).value["certificates"][0]
        assert again["replaced"] == [made["sha256"]]
        assert command("device", "show", "pump-1").value["certificates"] == [again["sha256"]]
        beside = ("--keep-old", "--out", str(data / "third"))
        assert command("device", "cert", "pump-1", *beside).value["certificates"][0]["replaced"] == []

    def test_added_with_its_certificate_in_one_step(self, command, data):
        refused = command("device", "add", "P-1", "--kind", "pump")
        assert refused.code == 65
        assert "--with-certificate" in refused.error
        added = command("device", "add", "P-1", "--kind", "adt", "--with-certificate", "--authoritative-adt")
        assert added.code == 0
        assert stat.S_IMODE((data / "certificates" / "P-1.key").stat().st_mode) == 0o600
        shown = command("device", "show", "P-1").value
        assert (shown["certificates"], shown["authoritative_adt"]) == ([added.value["sha256"]], True)
        assert kinds(data) == ["device.added"]
        assert command("device", "add", "P-1", "--with-certificate", "--out", str(data / "x")).code == 65
        assert not (data / "x").exists(), "no key for a device that cannot be added"
        command("device", "retire", "P-1", "--why", "sold")
        (data / "certificates" / "P-2.key").write_text("somebody's")
        assert command("device", "add", "P-2", "--with-certificate").code == 65
        assert command("device", "show", "P-2").code == 66

    def test_add_without_proof_but_with_a_sender_points_to_cert(self, command):
        assert command("device", "add", "P-3", "--sender", "P3").code == 0

    def test_revoked_and_reinstated(self, command, data):
        command("device", "add", "pump-1", "--sender", "P", "--address", "10.0.0.1")
        assert command("device", "revoke", "pump-1").code == 2
        assert command("device", "revoke", "pump-1", "--why", " ").code == 65
        assert command("device", "revoke", "pump-1", "--why", "lost").code == 0
        shown = command("device", "show", "pump-1").value
        assert (shown["status"], shown["signed"], shown["version"]) == ("revoked", "yes", 2)
        assert command("device", "reinstate", "pump-1", "--why", "found").code == 0
        assert command("device", "retire", "pump-1", "--why", "sold").code == 0
        assert command("device", "list", "--status", "retired").value["devices"][0]["id"] == "pump-1"
        assert kinds(data) == [
            "device.added",
            "device.revoked",
            "device.changed",
            "device.changed",
            "device.retired",
        ]

    def test_import_dry_run_import_export(self, command, data, tmp_path):
        sheet = "id,kind,sender,description\n" + "".join(f"d{n},pump,P{n},=x\n" for n in range(300))
        dry = command("device", "import", "-", "--dry-run", stdin=sheet)
        assert (dry.code, len(dry.value["added"])) == (0, 300)
        assert command("device", "list").value["devices"] == []
        assert len(command("device", "import", "-", stdin=sheet).value["added"]) == 300
        out = tmp_path / "out.csv"
        assert command("device", "export", "--out", str(out)).value["devices"] == 300
        assert "'=x" in out.read_text()
        assert len(command("device", "import", str(out)).value["unchanged"]) == 300
        assert command("device", "list", "--kind", "pump").value["devices"][0]["name"] == "=x"

    def test_a_bad_line_stops_all(self, command):
        bad = command("device", "import", "-", stdin="id,sender\nd1,P\nd 2,P\n")
        assert bad.code == 65
        assert bad.value["added"] == [], "nothing was imported, and nothing says so"
        assert [(e["line"], e["column"]) for e in bad.value["errors"]] == [(3, "id")]
        assert command("device", "list").value["devices"] == []

    def test_held_adopted_dismissed(self, command, data):
        engine = engine_of(data)
        with write(engine) as db:
            for n in (1, 2):
                remember_unknown(db, "demo", Peer(f"10.0.0.{n}"), (b"NEW", b"ICU"), n)
        one, two = command("device", "held").value["held"]
        assert command("device", "adopt", one["id"], "pump-7").code == 65
        assert command("device", "adopt", one["id"], "pump-7", "--pin-address", "--kind", "pump").code == 0
        assert command("device", "show", "pump-7").value["senders"] == ["NEW|ICU"]
        assert command("device", "dismiss", two["id"]).code == 0
        assert command("device", "held").value["held"] == []

    def test_a_hint_is_the_command_that_works_and_an_impostor_is_named(self, command, data, capsys):
        command("device", "add", "PUMP-01", "--sender", "PUMP-01", "--address", "10.0.0.1")
        with write(engine_of(data)) as db:
            remember_unknown(db, "demo", Peer("10.0.0.9"), (b"PUMP-01\x1b[2J", b""), 1)
            remember_unknown(db, "demo", Peer("10.0.0.8"), (b"PUMP-01", b""), 2)
            remember_unknown(db, "demo", Peer("10.0.0.1"), (b"X", b""), 3, Reason.DEVICE_MISMATCH)
        mismatch, impostor, _ = command("device", "held").value["held"]
        assert (mismatch["reason"], mismatch["belongs_to"]) == ("device.identity-mismatch", ["PUMP-01"])
        assert (impostor["belongs_to"], impostor["calls_itself_like"]) == ([], ["PUMP-01"])
        assert run(["device", "held", "--data", str(data)]) == 0
        text = capsys.readouterr().out
        assert "\x1b" not in text
        assert f"{impostor['id']}: calls itself like PUMP-01: an impostor?" in text
        hint = f"oathward device adopt {impostor['id']} ID --pin-address"
        assert hint in text.splitlines()
        assert command(*hint.replace(" ID ", " pump-2 ").split()[1:]).code == 0

    def test_usage_names_what_people_write(self, capsys):
        for name in ("show", "revoke", "retire", "reinstate"):
            assert run(["device", name, "--help"]) == 0
            out = capsys.readouterr().out
            assert "id_" not in out
            assert "ID" in out

    @pytest.mark.parametrize(
        "arguments",
        [
            ("show", "x"),
            ("cert", "x"),
            ("revoke", "x", "--why", "r"),
            ("adopt", "x", "y"),
            ("dismiss", "x"),
        ],
    )
    def test_nobody_is_not_found(self, command, arguments):
        assert command("device", *arguments).code == 66

    def test_a_fingerprint_of_a_file(self, command, data):
        command("device", "add", "a", "--sender", "A")
        made = command("device", "cert", "a").value["certificates"][0]
        clash = command("device", "add", "b", "--certificate", made["certificate"])
        assert clash.code == 65
        assert "another device has this certificate" in clash.error
        (data / "none").write_bytes(b"0\x82 no certificate")
        none = command("device", "add", "b", "--certificate", str(data / "none"))
        assert (none.code, "must be a certificate" in none.error) == (65, True)
        assert command("device", "add", "c", "--certificate", "AB:" * 31 + "AB").code == 0


class TestConsent:
    SHEET = f"identifier,authority,permit,purposes,recipients,classes\n{SECRET},HOSP,yes,HRESCH,*,*\n{SECRET},HOSP,no,,,\n"

    def test_import_and_list(self, command, data):
        dry = command("consent", "import", "-", "--dry-run", stdin=self.SHEET).value
        assert (dry["patients"], dry["rows"], dry["recorded"]) == (1, 2, 0)
        assert command("consent", "list").value["consents"] == []
        assert command("consent", "import", "-", stdin=self.SHEET).value["recorded"] == 1
        assert command("consent", "import", "-", stdin=self.SHEET).value["recorded"] == 0
        (row,) = command("consent", "list").value["consents"]
        assert (row["version"], row["valid"], [s["permit"] for s in row["statements"]]) == (
            1,
            True,
            [True, False],
        )
        assert kinds(data) == ["consent.recorded"]

    def test_record_by_identifier_and_by_subject(self, command, tmp_path):
        file = tmp_path / "who"
        file.write_text(f"{SECRET}^^^HOSP^MR\n")
        denied = command("consent", "record", "--deny", "--identifier-file", str(file)).value
        found = command("patient", "find", "--identifier-file", "-", stdin=file.read_text()).value
        assert found["subjects"] == [denied["subject"]]
        permit = ("--permit", "--purpose", "HRESCH", "--recipient", "*", "--class", "observation.*")
        args = (*permit, "--subject", denied["subject"], "--from", "2026-01-01", "--until", "2026-12-31")
        assert command("consent", "record", *args).value["recorded"] == 1
        rows = command("consent", "list", "--subject", denied["subject"]).value["consents"]
        assert [(r["version"], len(r["statements"])) for r in rows] == [(2, 2), (1, 1)]

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("--permit",),
            ("--permit", "--subject", "x", "--purpose", "HRESCH"),
            ("--deny", "--subject", "not-an-id"),
            ("--deny", "--subject", "x", "--identifier-file", "-"),
            ("--deny", "--identifier-file", "-"),
        ],
    )
    def test_what_is_not_clear_is_refused(self, command, arguments):
        assert command("consent", "record", *arguments, stdin=f"{SECRET}\n").code == 65

    def test_a_subject_that_nobody_is_cannot_deny_anything(self, command):
        known = command("consent", "record", "--deny", "--identifier-file", "-", stdin=WHO).value["subject"]
        slip = f"{known[:-4]}{'0000' if known[-4:] != '0000' else '1111'}"
        assert command("consent", "record", "--deny", "--subject", slip).code == 66
        assert [row["subject"] for row in command("consent", "list").value["consents"]] == [known]
        assert command("consent", "record", "--deny", "--purpose", "HRESCH", "--subject", known).code == 0

    def test_a_recipient_the_policy_does_not_have_is_refused(self, command, data):
        who = ("--identifier-file", "-")
        assert command("consent", "record", "--deny", "--recipient", "ehx", *who, stdin=WHO).code == 0
        Site(data).activate(bundle({"ehr": "mllp://127.0.0.1:1"}))
        typo = command("consent", "record", "--deny", "--recipient", "ehx", *who, stdin=WHO)
        assert typo.code == 65
        assert "did you mean `ehr`?" in typo.error
        assert command("consent", "record", "--deny", "--recipient", "ehr", *who, stdin=WHO).code == 0
        assert command("consent", "record", "--deny", "--recipient", "*", *who, stdin=WHO).code == 0

    def test_a_denial_of_everything_says_so(self, command, data, capsys, monkeypatch):
        who = ("consent", "record", "--deny", "--identifier-file", "-")
        assert command(*who, stdin=WHO).value["denies_every_purpose"]
        assert not command(*who, "--purpose", "HRESCH", stdin=WHO).value["denies_every_purpose"]
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(WHO.encode())))
        assert run([*who, "--data", str(data)]) == 0
        assert "denies every purpose, treatment included" in capsys.readouterr().out

    def test_errors_have_lines_and_nothing_is_imported(self, command):
        bad = command("consent", "import", "-", stdin=self.SHEET + f"{SECRET},,no,,,\nUNKNOWN,HOSP,no,,,\n")
        assert bad.code == 65
        assert [(e["line"], e["column"]) for e in bad.value["errors"]] == [
            (4, "authority"),
            (5, "identifier"),
        ]
        assert command("consent", "list").value["consents"] == []


class TestPatient:
    def merge(self, data, into, gone, *, tied=True):
        settings = load(data)
        with_key = build(settings, "gateway")
        resolver = Resolver(with_key.keeper.hello().index_key, "demo")
        merge = resolver.resolve(
            with_key.engine, adt("A40", pid(f"{into}^^^HOSP^MR"), mrg(f"{gone}^^^HOSP^MR")), FEED, 1
        )
        with write(with_key.engine) as db:
            actions.apply(db, "demo", merge)
            append(db, "demo", [prepare(r) for r in merge.records])
            if tied:  # as the gateway does
                ties = [Tie(edge.id, edge.child, edge.parent, "") for edge in merge.rows.edges]
                care_rows.tie(db, "demo", ties, Stamps(with_key.keeper.hello().index_key, "demo"))
        with_key.keeper.close()
        return merge.rows.edges[0]

    @pytest.fixture
    def edge(self, data):
        return self.merge(data, SECRET, "2")

    def test_what_another_merge_still_ties_is_said(self, command, data, edge, capsys):
        other = self.merge(data, "2", SECRET)
        undone = command("patient", "unmerge", edge.id, "--why", "mistaken")
        assert undone.value["still_tied_by"] == [other.id]
        assert run(["patient", "unmerge", other.id, "--why", "mistaken", "--data", str(data)]) == 0
        assert "are two;" in capsys.readouterr().out

    def test_edges_are_listed_and_undone(self, command, edge):
        (shown,) = command("patient", "merge-edges").value["edges"]
        assert (shown["id"], shown["kind"], shown["state"]) == (edge.id, "merged", "active")
        who = f"{SECRET}^^^HOSP^MR\n2^^^HOSP^MR\n9^^^HOSP^MR\n"
        found = command("patient", "find", "--identifier-file", "-", stdin=who).value["subjects"]
        assert found == [edge.parent, edge.parent, None]
        assert command("patient", "unmerge", edge.id).code == 2
        undone = command("patient", "unmerge", edge.id, "--why", "mistaken")
        assert (undone.code, undone.value["still_tied_by"]) == (0, [])
        found = command("patient", "find", "--identifier-file", "-", stdin=who).value["subjects"]
        assert found == [edge.parent, edge.child, None]
        assert (
            command("patient", "merge-edges", "--subject", edge.child).value["edges"][0]["state"] == "undone"
        )
        assert command("patient", "unmerge", edge.id, "--why", "again").code == 65

    def test_a_merge_waits_until_it_is_confirmed(self, command, edge, capsys):
        (shown,) = command("patient", "merges").value["merges"]
        assert (shown["id"], shown["source"]) == (edge.id, "feed")
        assert command("patient", "confirm", edge.id).code == 2
        assert command("patient", "confirm", edge.id, "--why", "both cards seen").code == 0
        assert command("patient", "merges").value["merges"] == []
        again = command("patient", "confirm", edge.id, "--why", "both cards seen")
        assert (again.code, "confirmed before" in again.error) == (65, True)
        assert command("patient", "confirm", "nothing", "--why", "both cards seen").code == 66

    def test_an_edge_that_only_the_database_knows_is_confirmed_by_nobody(self, command, data):
        forged = self.merge(data, SECRET, "2", tied=False)
        refused = command("patient", "confirm", forged.id, "--why", "both cards seen")
        assert (refused.code, "there is no such merge" in refused.error) == (66, True)
        assert len(command("patient", "merges").value["merges"]) == 1, "it waits still"

    def test_nobody_is_erased_with_another_before_a_person_said_that_they_are_one(self, command, edge):
        erase = ("keys", "erase", edge.parent, "--reason", "gdpr.art17", "--yes")
        refused = command(*erase)
        assert (refused.code, "a merge with another patient waits" in refused.error) == (65, True)
        found = command("patient", "find", "--identifier-file", "-", stdin="2^^^HOSP^MR\n").value["subjects"]
        assert found == [edge.parent], "nothing was destroyed"
        assert command("patient", "confirm", edge.id, "--why", "both cards seen").code == 0
        assert command(*erase).code == 0
        found = command("patient", "find", "--identifier-file", "-", stdin="2^^^HOSP^MR\n").value["subjects"]
        assert found == [None]

    def test_by_identifier(self, command, edge):
        mine = command(
            "patient", "merge-edges", "--identifier-file", "-", "--kind", "merged", stdin="2^^^HOSP^MR"
        )
        assert len(mine.value["edges"]) == 1
        assert command("patient", "merge-edges", "--identifier-file", "-", stdin="9^^^HOSP^MR").code == 66
        assert command("patient", "merge-edges", "--kind", "friends").code == 65

    @pytest.mark.parametrize("stdin", ["", SECRET, f"{SECRET}^^^", "UNKNOWN^^^HOSP"])
    def test_an_identifier_needs_its_authority(self, command, stdin):
        assert command("patient", "find", "--identifier-file", "-", stdin=stdin).code == 65

    def test_without_a_file_it_says_where_to_put_it(self, command):
        assert command("patient", "find").code == 65
        assert command("patient", "find", "--identifier-file", "/no/such/file").code == 66


def test_people_get_words(command, data, capsys):
    def say(*arguments):
        assert run([*arguments, "--data", str(data)]) == 0
        said = capsys.readouterr().out
        assert SECRET not in said
        return said

    assert "device add" in say("device", "list")
    assert "Nobody" in say("device", "held")
    assert "consent import" in say("consent", "list")
    assert "No edges" in say("patient", "merge-edges")
    assert "Next: oathward device cert a" in say(
        "device", "add", "a", "--sender", "A", "--address", "10.0.0.1"
    )
    assert "address" in say("device", "list")
    assert "10.0.0.1" in say("device", "show", "a")
    assert "give the key to the device alone" in say("device", "cert", "a")
    assert say("device", "export").startswith("id,name,kind")
    command("consent", "import", "-", stdin=TestConsent.SHEET)
    assert "HRESCH" in say("consent", "list")
