"""``oathward quarantine`` and ``outbox``: what people see of held messages, and giving up what is garbage."""

import getpass
import hashlib
import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console
from tests.outbox import waiting
from tests.unit.policy import small

from oathward import ledger
from oathward.cli.main import run
from oathward.cli.quarantine import table_of
from oathward.consent.notices import sql as notices
from oathward.consent.notices.sql import NoticeRow
from oathward.core.clock import micros
from oathward.core.db import connect, read, write
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.inventory.model import Peer
from oathward.inventory.strangers import remember_unknown
from oathward.messages import sql
from oathward.messages.model import Delivery, HeldRow
from oathward.vault import kept
from oathward.vault.bodies import BodyRef
from oathward.vault.seal import SealedBody

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
REF = BodyRef("quarantine", 1, 0, 4, bytes(32))
MISMATCH = Reason.DEVICE_MISMATCH.code
UNKNOWN = Reason.DEVICE_UNKNOWN.code


def held(n, reason=MISMATCH, peer="10.0.0.1 -", device=""):
    return HeldRow(
        f"019384e0-0000-7000-8000-00000000{n:04d}", "demo", micros(NOW), device, peer, reason, "MSH-3", ""
    )


def delivery(n, state):
    facts = {
        "site": "demo",
        "message": f"m-{n}",
        "link": "ehr",
        "sender": "pump-1",
        "body": REF,
        "bundle": "b1",
    }
    return waiting(f"out-{n}", subject="s", key="k", created_us=micros(NOW), state=state, **facts)


@pytest.fixture
def data(data):
    """The site with messages held and deliveries waiting."""
    folder = data
    rows = [held(1), held(2), held(3, UNKNOWN, "10.0.0.2 -"), held(4, UNKNOWN, f"10.0.0.1 {'ab' * 32} DNS:x")]
    with write(connect(load(folder).database_url)) as db:
        sql.insert_held(db, rows)
        sealed = SealedBody("k", b"body", hashlib.sha256(b"body").digest())
        kept.insert_rows(db, [kept.row("demo", r.message, "s", "quarantine", sealed, REF, 1) for r in rows])
        sql.insert_outbox(db, [delivery(n, s) for n, s in enumerate(Delivery)])
    return folder


@pytest.fixture
def command(data, capsys):
    def go(*arguments, as_json=True):
        code = run([*arguments, "--data", str(data), *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        value = json.loads(out) if as_json and out.strip() else None
        return SimpleNamespace(code=code, value=value, out=out, error=err)

    return go


def records(data, kind):
    with read(connect(load(data).database_url)) as db:
        return ledger.search(db, "demo", ledger.Query(kind=kind), limit=100)


class TestTable:
    def shown(self, width, rows):
        out = Console(width=width, record=True, file=io.StringIO())
        out.print(table_of(rows, width, NOW))
        return out.export_text()

    def test_at_80_columns_no_reason_and_no_id_is_cut(self):
        rows = [held(n, one.code, device="d" * 64) for n, one in enumerate(Reason)]
        text = self.shown(80, rows)
        for row in rows:
            assert f" {row.reason} " in f"{text} ".replace("\n", " \n")
            assert row.message[-12:] in text
        assert "12:00:00" in text

    def test_another_day_has_its_date(self):
        earlier = micros(datetime(2026, 11, 19, 8, 30, tzinfo=UTC))
        row = HeldRow("m" * 36, "demo", earlier, "", "a -", MISMATCH, "", "")
        assert "11-19 08:30" in self.shown(80, [row])

    def test_a_wide_one_has_whole_ids(self):
        assert held(1).message in self.shown(200, [held(1)])


class TestList:
    @pytest.mark.parametrize(
        "wrong",
        [
            ("quarantine", "list", "--reason", "device.unknwon"),
            ("quarantine", "release", "--all-with-reason", "device.unknwon", "--why", "x"),
            ("quarantine", "discard", "--all-with-reason", "device.unknwon", "--why", "x"),
            ("device", "list", "--status", "unknown"),
            ("device", "held", "--state", "unknown"),
            ("patient", "merge-edges", "--kind", "undone"),
        ],
    )
    def test_a_word_that_nothing_can_bear_is_an_error_and_not_an_empty_list(self, command, wrong):
        shown = command(*wrong)
        assert (shown.code, shown.out) == (65, "")
        assert json.loads(shown.error)["error"] == "input.invalid"
        if "device.unknwon" in wrong:
            assert "did you mean `device.unknown`?" in shown.error

    @pytest.mark.parametrize(
        "list_", [("quarantine", "list"), ("outbox", "list"), ("patient", "merge-edges"), ("device", "held")]
    )
    def test_a_limit_of_nothing_is_wrong_use(self, command, list_):
        for limit in ("0", "-1"):
            assert command(*list_, "--limit", limit).code == 2
        assert command(*list_, "--limit", "1").code == 0

    def test_nothing_for_one_reason_does_not_say_that_nothing_is_held(self, command):
        said = command("quarantine", "list", "--reason", "guard.stopped", as_json=False).out
        assert said == "Nothing is held for guard.stopped; 4 for other reasons.\n"

    def test_who_was_adopted_is_not_called_an_impostor_of_itself(self, command, data):
        with write(connect(load(data).database_url)) as db:
            remember_unknown(db, "demo", Peer("10.0.0.9"), (b"PUMP9", b"ICU"), 1, Reason.DEVICE_UNKNOWN)
        id_ = command("device", "held").value["held"][0]["id"]
        assert f"oathward device adopt {id_} ID --pin-address" in command("device", "held", as_json=False).out
        assert command("device", "adopt", id_, "pump-9", "--pin-address").code == 0
        said = command("device", "held", "--state", "adopted", as_json=False).out
        assert id_ in said
        assert "may not call itself so" not in said
        assert "device adopt" not in said


class TestShow:
    def test_the_end_of_an_id_is_enough_if_only_one_has_it(self, command):
        assert command("quarantine", "show", "000000000001").value["message"] == held(1).message
        assert command("quarantine", "show", held(1).message).code == 0
        assert command("quarantine", "show", "1").code == 66
        assert command("quarantine", "show", "%0001%").code == 66

    def test_several_that_end_so_are_a_conflict(self, command, data):
        twin = held(1)
        other = HeldRow("019384e0-0000-7000-9000-000000000001", "demo", *_rest(twin))
        with write(connect(load(data).database_url)) as db:
            sql.insert_held(db, [other])
        assert command("quarantine", "show", "000000000001").code == 65

    def test_a_mismatch_says_whose_address_it_is_and_what_it_called_itself(self, command, data):
        command("device", "add", "pump-1", "--sender", "PUMP1", "--address", "10.0.0.0/30")
        with write(connect(load(data).database_url)) as db:
            remember_unknown(
                db, "demo", Peer("10.0.0.1"), (b"PUMP2\x1b[31m", b"ICU"), 1, Reason.DEVICE_MISMATCH
            )
        shown = command("quarantine", "show", held(1).message)
        assert shown.value["belongs_to"] == "pump-1"
        assert shown.value["called_itself"] == "PUMP2\N{REPLACEMENT CHARACTER}[31m|ICU"


def _rest(row):
    return row.at_us, row.device, row.peer, row.reason, row.place, row.links


class TestDiscard:
    def test_what_is_discarded_is_gone_and_recorded(self, command, data):
        assert command("quarantine", "discard", held(1).message).code == 2, "a reason is required"
        assert command("quarantine", "discard", held(1).message, "--why", " ").code == 65
        done = command("quarantine", "discard", "000000000001", held(2).message, "--why", "garbage")
        assert done.value["discarded"] == [held(1).message, held(2).message]
        with read(connect(load(data).database_url)) as db:
            assert kept.find(db, "demo", [held(1).message, held(2).message]) == []
            assert len(kept.find(db, "demo", [held(3).message])) == 1, "the others stay"
        assert command("quarantine", "list").value["counts"] == {UNKNOWN: 2}
        assert command("quarantine", "show", held(1).message).value["state"] == "discarded"
        found = records(data, "message.discarded")
        assert {r.message for r in found} == {held(1).message, held(2).message}
        text = command("ledger", "search", "--kind", "message.discarded", as_json=False).out
        assert text.split("\n")[0].split() == [
            "index",
            "when",
            "(UTC)",
            "kind",
            "subject",
            "message",
            "links",
        ]
        again = ("--why", "again")
        assert command("quarantine", "discard", held(1).message, *again).code == 66
        assert command("quarantine", "release", held(1).message, *again).code == 66
        assert run(["ledger", "verify", "--data", str(data)]) == 0

    def test_by_reason_and_by_who_sent_it(self, command, data):
        with write(connect(load(data).database_url)) as db:
            one = remember_unknown(db, "demo", Peer("10.0.0.1"), (b"A", b""), 1)
            two = remember_unknown(db, "demo", Peer("10.0.0.1", bytes.fromhex("ab" * 32)), (b"B", b""), 1)
        garbage = ("quarantine", "discard", "--why", "garbage")
        assert command(*garbage).code == 65
        assert command(*garbage, held(1).message, "--device-held", one).code == 65
        assert command(*garbage, "--device-held", "nobody").code == 66
        assert command(*garbage, "--device-held", one, "--all-with-reason", UNKNOWN).code == 66
        assert set(command(*garbage, "--device-held", one).value["discarded"]) == {
            held(1).message,
            held(2).message,
        }
        assert command(*garbage, "--device-held", two).value["discarded"] == [held(4).message]
        assert command(*garbage, "--all-with-reason", UNKNOWN).value["discarded"] == [held(3).message]


class TestOutbox:
    def test_a_dead_delivery_is_taken_out(self, command, data):
        assert command("outbox", "discard", "out-2").code == 2, "a reason is required"
        assert command("outbox", "discard", "out-0", "--why", "x").code == 65, "it waits: it is no garbage"
        assert command("outbox", "discard", "out-1", "--why", "x").value["done"] == "set aside"
        assert command("outbox", "retry", "out-1", "--why", "x").code == 0, "set aside is not gone"
        assert command("outbox", "discard", "out-2", "--why", "x").value["done"] == "taken out of the outbox"
        assert [r["id"] for r in command("outbox", "list").value["rows"]] == ["out-0", "out-1"]
        assert len(records(data, "delivery.discarded")) == 2

    def test_a_refused_notice_that_is_given_up_is_missing_no_more(self, command, data):
        with write(connect(load(data).database_url)) as db:
            for name in ("out-1", "out-2"):
                row = NoticeRow(name, "s", name, "s", 1, "none", "refused", 1, "AR", 2, 2)
                notices.put(db, "demo", row)
        assert command("consent", "notices").value["missing"] == 2
        assert command("outbox", "discard", "out-0", "--why", "x").code == 65
        assert command("outbox", "retry", "out-1", "--why", "mended").code == 0
        assert command("consent", "notices").value["missing"] == 2, "tried again is not given up"
        assert command("outbox", "discard", "out-2", "--why", "they left").code == 0
        value = command("consent", "notices").value
        assert value["missing"] == 1
        states = {one["id"]: (one["state"], one["answer"]) for one in value["notices"]}
        assert states == {"out-1": ("refused", "AR"), "out-2": ("discarded", getpass.getuser())}

    def test_what_the_policy_in_force_still_withholds_is_not_said_to_be_tried_again(
        self, command, data, tmp_path
    ):
        for path, content in small.files().items():
            (tmp_path / "policy" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "policy" / path).write_bytes(content)
        assert command("policy", "activate", str(tmp_path / "policy")).code == 0
        with write(connect(load(data).database_url)) as db:
            sql.insert_outbox(db, [delivery(9, Delivery.DEAD)._replace(link="was-removed")])
        said = command("outbox", "retry", "out-9", "--why", "mended", as_json=False)
        assert said.code != 0
        assert "tried again" not in said.out
        assert "error[decision.no-link]" in said.error
        assert "may still not go" in said.error
        rows = {r["id"]: r["state"] for r in command("outbox", "list").value["rows"]}
        assert rows["out-9"] == "dead"
        assert records(data, "delivery.retried") == []

    def test_what_was_broken_off_when_a_patient_withdrew_is_never_tried_again(self, command, data):
        over = Reason.CONSENT_WITHDRAWN_IN_FLIGHT.code
        with write(connect(load(data).database_url)) as db:
            sql.insert_outbox(db, [delivery(9, Delivery.DEAD)._replace(reason=over)])
        said = command("outbox", "retry", "out-9", "--why", "they said yes again", as_json=False)
        assert said.code != 0
        assert f"error[{over}]" in said.error
        assert records(data, "delivery.retried") == []

    def test_a_state_there_is_not_is_refused(self, command):
        assert command("outbox", "list", "--state", "foo").code == 65
        assert len(command("outbox", "list", "--state", "dead").value["rows"]) == 1

    def test_the_list_has_headings(self, command):
        text = command("outbox", "list", as_json=False).out
        assert "since (UTC)" in text
        assert "delivery" in text
