"""The guard on parts of JSON: single names, short numbers, other patients, ids of ours, what cannot be read."""

import base64
import json
import zlib

import pytest
from tests.unit.gateway.fhir_disguises import member, note
from tests.unit.gateway.guarding import HEADER, fhir, hl7v2

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard import check as check_module
from oathward.gateway.guard.verdict import CLEAN, Counted, Stop
from oathward.patients.fhir_card import words_of_patient

HASHER = WordHasher(b"k" * 32)
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"value": "4821"}, {"value": "12345678"}],
    "name": [{"family": "Rosenqvist", "given": ["Adalbert", "Ada"]}],
    "birthDate": "1970-01-31",
    "telecom": [{"system": "phone", "value": "(555) 314-1592"}],
    "address": [{"line": ["12 Rosebud Lane"], "city": "Springwell", "postalCode": "97477"}],
    "contact": [{"name": {"family": "Vandermeulen", "given": ["Jo"]}}],
}
CARD = dict(words_of_patient(PATIENT, HASHER))
MEASURED = {"resourceType": "Observation", "effectiveDateTime": "2026-03-01T12:00:00Z"}
ORIGINAL = fhir((PATIENT, MEASURED))
NOBODY = fhir((MEASURED,))
OURS = "0a1b2c3d4e5f6a7b8c9d"


def check(fragment, *, guard=None, original=ORIGINAL, id_=f"{OURS}-1", **options):
    text = (
        f'{{"resourceType":"Observation","id":"{id_}","status":"final","subject":{{"reference":"Patient/px55abq"}},'
        f'"effectiveDateTime":"2026-03-01T11:59:30.123456Z","valueQuantity":{{"value":72,"code":"/min"}},{fragment}}}'
    )
    return (guard or Guard(HASHER)).check(original, text.encode(), **({"carries_identity": False} | options))


def others(*texts):
    known = {HASHER.token(text) for text in texts}
    return lambda tokens: known & set(tokens)


# --- names that are a whole value


@pytest.mark.parametrize(
    "fragment",
    [
        member("code", {"coding": [{"code": "ROSENQVIST"}]}),
        member("code", {"coding": [{"display": "Rosenqvist"}]}),
        member("code", {"text": "ROSENQVIST"}),
        member("device", {"reference": "Device/Rosenqvist"}),
        member("device", {"display": "Adalbert"}),
        member("url", "urn:rosenqvist:1"),
        member("valueQuantity", {"unit": "Rosenqvist"}),
        member("rosenqvist", 1),
        member("bodySite", {"coding": [{"code": "MDC_ROSENQVIST"}]}),
        '"code":{"text":"R\\u006fsenqvist"}',
    ],
)  # fmt: skip
def test_a_name_that_is_a_whole_value_is_stopped(fragment):
    guard = Guard(HASHER)
    for _ in range(2):
        verdict = check(fragment, guard=guard)
        assert isinstance(verdict, Stop)
        assert verdict.kind == "name-parts"
        assert verdict.where.startswith("Patient.name in ")
    verdict = check(fragment, original=NOBODY, card_words=CARD)
    assert isinstance(verdict, Stop)
    assert verdict.kind == "name-parts"
    assert check(fragment, original=NOBODY) is CLEAN  # reverse


def test_two_short_names_in_two_objects_are_stopped_and_one_is_counted():
    original = fhir(({"resourceType": "Patient", "name": [{"family": "Doe", "given": ["Ada"]}]},))
    one, other = member("device", {"display": "Doe"}), member("code", {"text": "Ada"})
    guard = Guard(HASHER)
    for _ in range(2):
        assert check(f"{one},{other}", original=original, guard=guard) == Stop(
            "name-parts", "Patient.name in message"
        )
        assert check(one, original=original, guard=guard) == Counted({"Patient.name": 1})


@pytest.mark.parametrize(
    "fragment",
    [note("then Rosenqvist slept well"), member("code", {"text": "Springwell"}), member("code", {"text": "Vandermeulen"}),
     member("x", "97477"), member("valueQuantity", {"value": 4821})],
)  # fmt: skip
def test_other_weak_tokens_are_counted(fragment):
    assert isinstance(check(fragment), Counted)


@pytest.mark.parametrize(("family", "given"), [("Final", "Home"), ("Holter", "Young"), ("Active", "Phone")])
def test_names_that_are_codes_or_other_words_too_do_not_stop(family, given):
    original = fhir(({"resourceType": "Patient", "name": [{"family": family, "given": [given]}]},))
    fragment = ",".join(
        (
            member("status", family.lower()),
            member("telecom", [{"use": "home", "system": "phone"}]),
            member("x", {"y": given}),
        )
    )
    assert not isinstance(check(fragment, original=original), Stop)


def test_a_patient_called_patient_is_no_news():
    original = fhir(({"resourceType": "Patient", "name": [{"family": "Patient", "given": ["Test"]}]},))
    assert check(note("all well"), original=original) is CLEAN


@pytest.mark.parametrize(
    "fragment", ['"family":"Li","given":["Na"]', '"family":"Li","x":{},"given":["Na"]', note("Na Li")]
)
def test_a_short_name_needs_its_words_side_by_side(fragment):
    original = fhir(({"resourceType": "Patient", "name": [{"family": "Li", "given": ["Na"]}]},))
    assert isinstance(check(fragment, original=original), Stop)
    assert not isinstance(check('"x":"LI 5.1, K 4, NA 140"', original=original), Stop)


def test_a_town_that_the_plan_keeps_is_no_name_there():
    original = fhir(({"resourceType": "Patient", "name": [{"family": "Springwell", "given": ["Ada"]}]},))
    town, code = member("address", [{"city": "Springwell"}]), member("code", {"text": "Springwell"})
    clear = frozenset({"patient.birth-date"})
    assert not isinstance(check(town, original=original, clear=clear), Stop)
    assert isinstance(check(code, original=original, clear=clear), Stop)
    assert isinstance(check(town, original=original), Stop)


# --- short identifiers


@pytest.mark.parametrize(
    "fragment",
    [member("code", {"coding": [{"system": "urn:x", "code": "4821"}]}), member("id", "4821"), member("x", {"value": "4821"}),
     member("device", {"reference": "Device/4821"}), member("valueString", "4821"), member("code", {"text": "4821"})],
)  # fmt: skip
def test_a_short_identifier_that_is_a_whole_value_is_stopped(fragment):
    guard = Guard(HASHER)
    assert not isinstance(check(fragment.replace("4821", "4822"), guard=guard), Stop)
    assert check(fragment, guard=guard) == Stop("weak-identifiers", "Patient.identifier in message")


def test_a_code_with_a_display_is_no_identifier():
    assert isinstance(check(member("code", {"coding": [{"code": "4821", "display": "Sodium"}]})), Counted)


# --- classes that a plan keeps


@pytest.mark.parametrize(
    ("class_", "fragment"),
    [
        ("patient.birth-date", member("birthDate", "1970-01-31")), ("patient.identifier", member("x", "12345678")),
        ("patient.name", note("Ada Rosenqvist Adalbert")), ("patient.contact", member("x", "5553141592")),
        ("patient.address", member("line", ["12 Rosebud Lane"])), ("relative.name", note("Jo Vandermeulen")),
    ],
)  # fmt: skip
def test_a_class_the_plan_keeps_does_not_stop_and_the_others_do(class_, fragment):
    guard = Guard(HASHER)
    for _ in range(2):
        assert isinstance(check(fragment, guard=guard), Stop)
        assert not isinstance(check(fragment, guard=guard, clear=frozenset({class_})), Stop)
        assert isinstance(check(fragment, guard=guard, clear=frozenset({"patient.sex"})), Stop)


# --- other patients, canaries

UUID = "7a1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e12"


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize(
    "fragment",
    [member("x", "88200199"), member("subject", {"reference": "Patient/88200199"}), '"x":88200199', member("x", "AB-123456"),
     member("x", "882001-99"), note("chart 88200199 was open"), member("data", base64.b64encode(b"see 88200199").decode()),
     '"x":"8820019\\u0039"', member("88200199", 1), member("x", UUID), member("fullUrl", f"urn:uuid:{UUID}"),
     member("url", "https://x.example/p?id=88200199"), member("text", {"div": "<div>8820<b/>0199</div>"}),
     note(json.dumps({"id": "88200199"}))],
)  # fmt: skip
def test_another_patients_identifier_is_stopped_on_every_link(fragment, identity):
    guard, known = Guard(HASHER), others("88200199", "ab123456", UUID.replace("-", ""))
    for _ in range(2):
        assert check(fragment, guard=guard, carries_identity=identity, foreign=others()) is CLEAN
        assert check(fragment, guard=guard, carries_identity=identity) is CLEAN  # reverse: without the index
    verdict = check(fragment, guard=guard, carries_identity=identity, foreign=known)
    if identity or "882001-99" not in fragment:  # in pieces it may be a range of values
        assert isinstance(verdict, Stop)
        assert verdict.kind == "other-patient"


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize(
    "text", ["Zyxwutonia", "mrs zyxwutonia x", "99000777001", base64.b64encode(b"of Zyxwutonia").decode()]
)
def test_a_canary_is_stopped_on_every_link(text, identity):
    canaries = frozenset({HASHER.word("zyxwutonia"), HASHER.token("99000777001")})
    guard = Guard(HASHER)
    assert check(note(text), guard=guard, carries_identity=identity) is CLEAN
    verdict = check(note(text), guard=guard, carries_identity=identity, canaries=canaries)
    assert isinstance(verdict, Stop)
    assert verdict.kind == "canary"


@pytest.mark.parametrize("text", ["Adalbert Rosenqvist", "12345678", "1970-01-31"])
def test_the_patients_own_identity_may_pass_where_identity_may(text):
    assert check(note(text), carries_identity=True, foreign=others("11223344")) is CLEAN


@pytest.mark.parametrize("identity", [True, False])
def test_times_codes_and_parts_of_uuids_are_not_asked_about(identity):
    asked = set()

    def ask(tokens):
        asked.update(tokens)
        return frozenset()

    fragment = ",".join(
        (member("issued", "2026-03-01T11:59:30.123456+01:00"), member("x", UUID), member("y", "88200199"))
    )
    assert check(fragment, carries_identity=identity, foreign=ask) is CLEAN
    encoded = member("z", {"at": "2026-03-01T11:59:30.123456+01:00", "hash": "OTk5ODc3NjY="})
    assert check(f"{fragment},{encoded}", carries_identity=identity, foreign=ask) is CLEAN
    for text in ("20260301", "123456", "20260301t11", "446977", "9a774c1e", "30123456", "59301234"):
        assert HASHER.token(text) not in asked
    assert HASHER.token("88200199") in asked
    assert HASHER.token(UUID.replace("-", "")) in asked


@pytest.mark.parametrize(
    "fragment",
    [
        member("x", "12345678"),
        note("Rosenqvist, Adalbert"),
        member("x", "(555) 314-1592"),
        member("x", "1970-01-31"),
    ],
)
def test_the_cards_values_are_caught_in_a_message_without_them(fragment):
    verdict = check(fragment, original=NOBODY, card_words=CARD)
    assert isinstance(verdict, Stop)
    assert verdict.where.startswith("card in ")
    assert check(fragment, original=NOBODY) is CLEAN


def test_what_encodings_hide_is_asked_about_each_time_and_looked_at_once():
    fragment = member("hash", base64.b64encode(b"chart 88200199 ok").decode())
    guard = Guard(HASHER)
    for _ in range(2):
        assert check(fragment, guard=guard, foreign=others()) is CLEAN
        assert check(fragment, guard=guard, foreign=others("88200199")).kind == "other-patient"
        own = {HASHER.token("88200199"): None}
        assert (
            check(
                fragment,
                guard=guard,
                original=NOBODY,
                foreign=others("88200199"),
                carries_identity=True,
                card_words=own,
            )
            is CLEAN
        )
        assert (
            check(
                fragment, guard=guard, original=NOBODY, foreign=others("88200199"), carries_identity=True
            ).kind
            == "other-patient"
        )


def test_a_hidden_date_of_the_card_stops_when_its_month_is_over():
    card = dict(words_of_patient({"birthDate": "2026-02-20"}, HASHER))
    fragment, guard = member("data", base64.b64encode(b"of 2026-02-20 x").decode()), Guard(HASHER)
    for day, stops in (("2026-02-25", False), ("2026-03-25", True)) * 2:
        original = fhir(({"resourceType": "Observation", "effectiveDateTime": day},))
        assert isinstance(check(fragment, guard=guard, original=original, card_words=card), Stop) == stops


# --- ids of ours


def test_ids_of_ours_stop_nothing_whatever_digits_and_letters_they_hold():
    """Each id holds the patient's number or name, another patient's number, or a canary."""
    words = ["12345678", "88200199", "ada", "4821"]
    for n, word in enumerate(words):
        ours = f"{word}{'abcdefabcdefabcdefab'[: 20 - len(word)]}"
        fragment = ",".join(
            (
                member("hasMember", [{"reference": f"Observation/{ours}-2"}]),
                member("x", ours.upper()),
                member("y", f"urn:x:{ours}-{n}"),
            )
        )
        for identity in (True, False):
            known = {"carries_identity": identity, "foreign": others("88200199", ours)}
            assert check(fragment, id_=f"{ours}-1", **known) is CLEAN


@pytest.mark.parametrize("id_", ["12345678abcdefabcdef-1", "00000000000012345678-1", "12345678"])
def test_an_id_that_is_the_senders_or_all_digits_is_searched(id_):
    original = fhir((PATIENT, MEASURED | {"id": id_}))
    assert isinstance(check('"x":1', id_=id_, original=original), Stop)


# --- what cannot be read


@pytest.mark.parametrize(
    "outgoing",
    [b'{"x":"\\u00zz"}', b'{"x":"\\', b'{"x":"\\n"} trailing', b'{"x":"\\n\xff"}', b'{"x":"\\n","y":{', b'["\\n"', b'{\x00"\x00',
     b'{"x":"\\n","y":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)  # fmt: skip
def test_what_cannot_be_read_cannot_leave(outgoing):
    for identity in (True, False):
        assert Guard(HASHER).check(ORIGINAL, outgoing, carries_identity=identity) == Stop(
            "unsearchable", "message"
        )


@pytest.mark.parametrize(
    "outgoing",
    [
        b"{}",
        b"[]",
        b' {"x":1}',
        b'\xef\xbb\xbf{"x":"\\n"}',
        b'[1,2,"\\n"]',
        b'"\\n"',
        b'{"x":[[],{}],"y":null}',
        b'{"":"\\n"}',
    ],
)
def test_any_json_gets_a_verdict(outgoing):
    assert Guard(HASHER).check(ORIGINAL, outgoing, carries_identity=False) is CLEAN


def test_a_bomb_in_an_attachment_is_stopped_within_bounds():
    bomb = base64.b64encode(zlib.compress(b"\0" * 200_000_000, 9)).decode()
    assert check(member("data", bomb)) == Stop("unsearchable", "message")


# --- where


@pytest.mark.parametrize(
    ("fragment", "where"),
    [
        (note("12345678"), "note[0]"),
        (member("component", [{}, {"code": {"text": "12345678"}}]), "component[1].code"),
        (member("12345678", {"deep": [{"x": "12345678"}]}), "root"),
        (member("private", {"deep": [{"x": "12345678"}]}), "?.?[0]"),
        (note(json.dumps({"subject": {"reference": "Patient/12345678"}})), "note[0]"),
    ],
)
def test_a_verdict_says_where_and_no_name_of_the_senders(fragment, where):
    assert check(fragment) == Stop("identifier", f"Patient.identifier in {where}")


def test_every_wire_is_searched_for_what_came_by_the_other():
    original = hl7v2((HEADER, "PID|1||12345678^^^H^MR||Rosenqvist^Adalbert"))
    assert check(member("x", "12345678"), original=original) == Stop("identifier", "PID-3 in root")
    outgoing = f"{HEADER}\rOBX|1|ST|1^X^L||12345678\r".encode()
    verdict = Guard(HASHER).check(ORIGINAL, outgoing, carries_identity=False)
    assert verdict == Stop("identifier", "Patient.identifier in segment 2")


def test_reverse_a_quick_look_that_finds_nothing_lets_values_pass(monkeypatch):
    monkeypatch.setattr(check_module, "is_quiet", lambda *_: True)
    assert check(member("x", "12345678")) is CLEAN
