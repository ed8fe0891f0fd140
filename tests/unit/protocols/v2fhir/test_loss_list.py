"""The loss list: exactly what is lost, no more and no less, on messages with everything in them."""

from __future__ import annotations

import pytest
from tests.v2fhir import OUTGOING, Round, alarm, device, lab, mistakes, pair, whole

from oathward.protocols.hl7v2 import tables as hl7
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import engine, losses, tables, to_fhir
from oathward.protocols.v2fhir.leaves import of_message

MESSAGES = {
    **{event: whole(event) for event in ("A01", "A40", "A42", "A45", "A47", "A50")},
    **{event: pair(event) for event in ("A17", "A24", "A37")},
    "lab": lab(),
    "device": device(),
    "alarm": alarm(),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_value_comes_back_or_is_listed_and_never_both(name):
    done = Round().take(MESSAGES[name])
    assert done.wrong == []
    assert done.kept.total() > 100


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_made_is_valid_and_hangs_together(name):
    assert mistakes(to_fhir(MESSAGES[name], OUTGOING)) == []


@pytest.mark.long  # a row too many loses nothing; that none is missing is asked of each message above
def test_no_row_of_the_lists_is_there_for_nothing():
    done = Round()
    for message in MESSAGES.values():
        done.take(message)
    assert [loss for loss in losses.every_loss() if loss not in done.lost] == []
    added = [name for places, _ in tables.rows("additions.tsv", 2) for name in places.split(" ")]
    unused = set(added) - set(done.added)
    assert unused == {"PID-14.2", "NK1-6.2"}  # with everything in it, a number says its use
    bare = b"MSH|^~\\&|||||||ADT^A08|1|P|2.6\rPID|||1|||||||||||5551234\rNK1||N||||5551234\r"
    assert set(Round().take(decode(bare)).added) == unused


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (
            b"MSH|^~\\&|||||20210709+0200||ADT^A03|1|P|2.6\rPID|||1\rPV1||I"
            + b"|" * 42
            + b"20210709101112\r",
            "zone",
        ),
        (b"MSH|^~\\&|||||||ADT^A08|1|P|2.6\rPID|||1|||||||||||||M^Married^LOINC\r", "alias"),
        (b"MSH|^~\\&|||||||ADT^A08|1|P|2.6\rPID|||1|||||||||||||M  1\r", "spaces"),
    ],
)
def test_each_form_of_spelling_is_met(raw, form):
    done = Round().take(decode(raw))
    assert done.wrong == []
    assert done.spelled[form] == 1
    assert form in losses.FORMS


def test_the_list_says_a_reason_for_each_row():
    assert all(loss.reason for loss in losses.every_loss())
    assert all(not loss.when or loss.when in losses._CONDITIONS for loss in losses.every_loss())
    assert len({loss[:2] for loss in losses.every_loss()}) == len(losses.every_loss())


@pytest.mark.parametrize("segment", sorted(losses.MAPPED - {"EVN"}))
def test_every_field_of_the_standard_is_mapped_or_listed(segment):
    mapped = {row.field for row in engine.every() if row.segment == segment}
    listed = {loss.place for loss in losses.every_loss() if not loss.when}
    fields = range(3 if segment == "MSH" else 1, len(hl7.segments()[segment]) + 1)
    missing = [f"{segment}-{n}" for n in fields if n not in mapped and f"{segment}-{n}" not in listed]
    assert missing == []


def test_losses_of_a_message_name_places_and_reasons_only():
    found = losses.of(MESSAGES["device"])
    assert found["MSH[1]-3"].reason
    assert not any("PLANTED" in loss.reason for loss in found.values())
    assert found.keys() <= of_message(MESSAGES["device"]).keys()


def test_reverse_a_row_taken_from_the_list_is_missed(monkeypatch):
    rows = [loss for loss in losses.every_loss() if loss.place != "PID-10"]
    monkeypatch.setattr(losses, "_by_place", lambda: {loss.place: (loss,) for loss in rows})
    assert any(
        line.startswith("PID[1]-10") and "not listed" in line for line in Round().take(MESSAGES["A01"]).wrong
    )


def test_reverse_a_row_too_many_is_found(monkeypatch):
    more = losses.Loss("PID-7", "", "planted")
    known = losses._by_place()
    monkeypatch.setattr(losses, "_by_place", lambda: {**known, "PID-7": (more,)})
    wrong = Round().take(MESSAGES["A01"]).wrong
    assert any(line.startswith("PID[1]-7") and "but it comes back" in line for line in wrong)


def test_reverse_a_mapping_that_drops_a_field_is_found(monkeypatch):
    rows = {name: tuple(row for row in kept if row[0].field != 8) for name, kept in
            {"PID": engine.rows_of("PID", "Patient")}.items()}  # fmt: skip
    usual = engine.rows_of
    monkeypatch.setattr(
        engine, "rows_of", lambda s, r: rows["PID"] if (s, r) == ("PID", "Patient") else usual(s, r)
    )
    assert any(line == "PID[1]-8: lost, and not listed" for line in Round().take(MESSAGES["A01"]).wrong)
