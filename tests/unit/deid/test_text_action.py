"""The actions ``text`` and ``attachment``: what passes, what is dropped, what is held; lines that are one text."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha1

import pytest
from tests.fhir_shaped import put, resources, transaction
from tests.shaped import SEEDS, lines, message
from tests.texted import FHIR, plan

from oathward.core.errors import DeidentificationError, PolicyError
from oathward.core.reasons import Reason
from oathward.deid import texts
from oathward.deid.actions import text as text_action
from oathward.deid.actions.attachment import BYTES_MAX, kind_of, read
from oathward.deid.plan import shape
from oathward.deid.text import measured
from oathward.deid.text.model import Context, Known
from oathward.protocols.shaping import REMOVE, Edit, Texts

PID = "PID|1||7834512^^^MRN^MR||Quarrel^Zephyr^Q||19700102|F|||12 Tamarack St^^Springfield^IL^62701||(555)810-7203"
OBR = "OBR|1|||11506-3^x^LN"


def note(n: int, value: str, kind: str = "TX") -> str:
    return f"OBX|{n}|{kind}|11506-3^x^LN||{value}||||||F"


def values(*segments: str, parameters: str = "", name: str = "OBX", field: int = 5) -> list[str]:
    safe = shape(message(PID, OBR, *segments), plan(parameters=parameters), SEEDS)
    return [line.split("|")[field] for line in lines(safe, name)]


def b64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_a_note_leaves_without_what_the_message_knows() -> None:
    assert values(note(1, "Ms. Quarrel, born Jan 2, 1970, MRN 783-4512, is well")) == [
        "Ms. [name], born 1970, MRN QF33WBHTJCZ98TK2, is well"
    ]


def test_lines_are_one_text() -> None:
    assert values(note(1, "The patient Zephyr"), note(2, "Quarrel was seen by Quar"), note(3, "rel")) == [
        "The patient [name]",
        "[name] was seen by [name]",
        "[name]",
    ]


def test_a_line_two_texts_have_loses_what_either_does() -> None:
    found = values(
        note(1, "Dr. May"), note(2, "May"), "NTE|1||x", note(3, "May"), note(4, "be it."), "PV1|1|I|||||9^May"
    )
    assert found == ["Dr. [name]", "[name]", "[name]", "be it."]


def test_lines_that_are_one_text_are_told_apart_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reverse: without the groups a name over two lines is not one name."""
    monkeypatch.setattr(texts, "_cleaned", lambda *_: {})
    assert values(note(1, "seen by Quar"), note(2, "rel"))[1] == "rel"


@pytest.mark.parametrize("space", ["\xa0", "\u2009", "\u3000"])
def test_spaces_of_every_width_are_spaces(space: str) -> None:
    assert values(note(1, f"born 2{space}Jan{space}1970 ok")) == ["born 1970 ok"]


def test_line_breaks_and_escapes_stay() -> None:
    assert values(note(1, r"Zephyr \T\ co\.br\are \F\ well", "FT")) == [r"[name] \T\ co\.br\are \F\ well"]
    assert values(note(1, r"nobody \.in+4\here \H\bold\N\ ", "FT")) == [r"nobody \.in+4\here \H\bold\N\ "]


def test_a_number_alone_is_no_text() -> None:
    assert text_action.is_number("A99912345", [])
    assert not text_action.is_number("120/80", [])
    assert not text_action.is_number("A99912345", [Edit(0, 9, "[id]")])
    assert not text_action.is_number("count 99912345", [])
    assert "99912345" not in "".join(values(note(1, "A99912345"), note(2, "B99912345x", "ST")))


def test_a_run_nobody_reads_goes() -> None:
    assert "QQQ" not in "".join(values(note(1, f"see {'Q7xQ' * 30}== there")))
    assert values(note(1, "see " + "-" * 90 + " there")) == ["see " + "-" * 90 + " there"]
    packed = b64("Dear Ms. Hawksworth, please come. " * 8)
    folded = "\\.br\\".join(packed[i : i + 76] for i in range(0, len(packed), 76))
    (left,) = values(note(1, f"see {folded} there"))
    assert not any(packed[i : i + 8] in left for i in range(0, len(packed) - 8, 4))


def test_of_what_qualifies_a_text_only_a_status_stays() -> None:
    rule = text_action.ACTION.rule("note.text", "rest", {})
    assert callable(rule)
    assert [rule(word, SEEDS) for word in ("generated", "Quarrel", "2024-01-02")] == ["generated", "", ""]
    assert text_action.ACTION.rule("patient.name", "", {}) is REMOVE


def test_a_text_that_comes_again_is_read_once_and_by_nobody_elses_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[str] = []

    def found(text: str, context: Context, seeds: object) -> list[Edit]:
        reads.append(text)
        return [Edit(0, len(text), context.language)]

    monkeypatch.setattr(text_action, "found_in", found)
    ruling = text_action.ACTION.rule("note.text", "", {})
    assert isinstance(ruling, Texts)
    first = replace(SEEDS, text=Context(Known(), lambda _cls, _part: REMOVE, "en"))
    other = replace(first, text=Context(Known(), lambda _cls, _part: REMOVE, "es"))
    assert [ruling("a", first), ruling("a", first), ruling("b", first), ruling("a", other)] == [
        "en", "en", "en", "es",
    ]  # fmt: skip
    assert reads == ["a", "b", "a"]


def test_without_known_nothing_leaves() -> None:
    rule = text_action.ACTION.rule("note.text", "", {})
    assert isinstance(rule, Texts)
    assert rule("all is well", SEEDS) == ""


MEASURED = '[parameters.text]\nrecall = ["0.9"]\nbelow = ["{}"]\n'


@pytest.mark.parametrize("below", ["drop", "hold"])
def test_a_language_of_which_too_little_is_found(monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    monkeypatch.setattr(measured, "RECALL", {"en": 0.95, "es": 0.8})
    parameters = MEASURED.format(below)
    made = plan(parameters=parameters)
    seeds = SEEDS.__class__(
        SEEDS.subject_seed, SEEDS.device_key, "OUT-1", 2026, text=Context(Known(), lambda *_: REMOVE, "en")
    )
    assert "well" in shape(message(PID, OBR, note(1, "is well")), made, seeds).data.decode()
    plain = "it was the one of which she said that this is not for the others and is well"
    if below == "drop":  # of a display of one word nothing tells the language
        assert "well" in shape(message(PID, OBR, note(1, plain)), made, SEEDS).data.decode()
    for language in ("es", "fr", ""):
        seeds = SEEDS.__class__(
            SEEDS.subject_seed,
            SEEDS.device_key,
            "OUT-1",
            2026,
            text=Context(Known(), lambda *_: REMOVE, language),
        )
        if below == "hold":
            with pytest.raises(DeidentificationError) as caught:
                shape(message(PID, OBR, note(1, "is well")), made, seeds)
            assert caught.value.reason is Reason.DEID_TEXT_HELD
        else:
            assert "well" not in shape(message(PID, OBR, note(1, "is well")), made, seeds).data.decode()


GERMAN = "Die Patientin ist mit der Tochter gekommen und wurde bei uns nicht von Frau Okonkwo untersucht"


@pytest.mark.parametrize("said", ["", "en"])
@pytest.mark.parametrize("below", ["drop", "hold"])
def test_a_text_plainly_in_a_language_nobody_measured_does_not_pass_whatever_was_said(
    below: str, said: str
) -> None:
    made = plan(parameters=MEASURED.format(below))
    text = Context(Known(), lambda *_: REMOVE, said)
    seeds = SEEDS.__class__(SEEDS.subject_seed, SEEDS.device_key, "OUT-1", 2026, text=text)
    if below == "hold":
        with pytest.raises(DeidentificationError) as caught:
            shape(message(PID, OBR, note(1, GERMAN)), made, seeds)
        assert caught.value.reason is Reason.DEID_TEXT_HELD
    else:
        assert "gekommen" not in shape(message(PID, OBR, note(1, GERMAN)), made, seeds).data.decode()


def test_nobody_measured_other_languages() -> None:
    assert measured.recall_of("fr") == 0
    assert measured.recall_of("") == min(measured.RECALL.values())
    assert set(measured.RECALL) == {"en", "es"}


def test_what_is_given_of_the_subject_is_known_too() -> None:
    known = Known((("relative.name", "", "Hawksworth"),))
    seeds = SEEDS.__class__(
        SEEDS.subject_seed, SEEDS.device_key, "OUT-1", 2026, text=Context(known, lambda *_: REMOVE)
    )
    assert (
        "[name] called" in shape(message(PID, OBR, note(1, "hawksworth called")), plan(), seeds).data.decode()
    )


@pytest.mark.parametrize("parameters", ['recall = ["2"]', 'recall = ["x"]', 'below = ["pass"]'])
def test_wrong_parameters_are_refused(parameters: str) -> None:
    with pytest.raises(PolicyError):
        plan(parameters=f"[parameters.text]\n{parameters}\n")


def test_plans_that_clean_nothing_ask_for_nothing() -> None:
    assert plan(lines="").texts is None
    assert plan().texts is not None
    assert plan(lines='"attachment" = "attachment"\n').texts is not None


def test_edits_that_overlap_become_one() -> None:
    made = texts._settled([Edit(0, 4, "[a]"), Edit(2, 6, "[b]"), Edit(2, 6, "[b]"), Edit(8, 9, "[c]")])
    assert made == [Edit(0, 6, "[a]"), Edit(8, 9, "[c]")]


# --- attachments


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b"plain words", "text/plain; charset=utf-8"),
        ("señal".encode(), "text/plain; charset=utf-8"),
        ("señal de alarma".encode("cp1252"), "text/plain; charset=utf-8"),
        ("señal".encode("utf-16"), "text/plain; charset=utf-8"),
        (b"<html><p>x</p></html>", "text/html; charset=utf-8"),
        (b"<?xml version='1.0'?><a/>", "application/xml"),
        (b"{\\rtf1 x}", "application/rtf"),
        (b"%PDF-1.4 text only", ""),
        (b"MIME-Version: 1.0\n\nx", ""),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"PK\x03\x04", ""),
        (zlib.compress(b"words " * 50), ""),
        (b"a\x00b", ""),
        (bytes(range(128, 256)) * 3, ""),
        (b"", ""),
    ],
)
def test_what_an_attachment_is_its_bytes_say(data: bytes, media: str) -> None:
    text = read(data)
    found = None if text is None else kind_of(text)
    assert (found[0] if found else "") == media


ED = "{0}^TEXT^PLAIN^{1}^{2}"


@pytest.mark.parametrize(
    ("encoding", "data", "out"),
    [
        ("Base64", b64("Dear Zephyr, all is well"), b64("Dear [name], all is well")),
        ("Hex", b"Zephyr ok".hex(), b"[name] ok".hex()),
        ("A", r"Zephyr \T\ co", r"[name] \T\ co"),
        ("Base64", b64("%PDF-1.7 Zephyr"), None),
        ("Base64", "not base64!", None),
        ("Zip", b64("Zephyr"), None),
    ],
)
def test_a_document_in_a_field(encoding: str, data: str, out: str | None) -> None:
    found = values(note(1, ED.format("LAB7834512", encoding, data), "ED"))
    assert found == ([] if out is None else [f"^TEXT^PLAIN^{encoding}^{out}"])


def test_a_pointer_is_no_document() -> None:
    assert values(note(1, "https://h.example.com/7834512^x^TEXT^PLAIN", "RP")) == []


@pytest.mark.parametrize(("value", "kind"), [(ED.format("", "Base64", b64("%PDF-1")), "ED"), ("x^y^z", "RP")])
def test_what_is_no_text_is_held_where_the_profile_says_so(value: str, kind: str) -> None:
    with pytest.raises(DeidentificationError) as caught:
        values(note(1, value, kind), parameters='[parameters.attachment]\nbelow = ["hold"]\n')
    assert caught.value.reason is Reason.DEID_ATTACHMENT_HELD


def test_what_is_too_large_is_no_text() -> None:
    assert values(note(1, ED.format("", "Base64", b64("x " * (BYTES_MAX // 2 + 1))), "ED")) == []


PATIENT = {"resourceType": "Patient", "id": "p7834512", "name": [{"family": "Quarrel", "given": ["Zephyr"]}]}


def document(**attachment: object) -> dict[str, object]:
    return {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": attachment}],
    }


def test_an_attachment_of_a_resource_leaves_as_what_it_is_now() -> None:
    given = document(
        contentType="application/pdf", data=b64("Zephyr was here"), size=99, hash="AAAA", title="For Z. Quarrel", language="en",
        creation="2024-05-06", url="https://h.example.com/quarrel",
    )  # fmt: skip
    made = resources(shape(transaction(PATIENT, given), plan(FHIR), SEEDS).data)
    (left,) = [one["content"][0]["attachment"] for one in made if "content" in one]
    data = b"[name] was here"
    assert left == {
        "contentType": "text/plain; charset=utf-8", "data": b64(data), "size": len(data), "hash": b64(sha1(data).digest()),
        "title": "For [name]", "language": "en", "creation": "2024",
    }  # fmt: skip


@pytest.mark.parametrize(
    "given", [{"contentType": "text/plain", "data": b64(b"\x00")}, {"url": "https://h.example.com/q"}]
)
def test_a_document_goes_with_what_cannot_be_read(given: dict[str, str]) -> None:
    made = resources(shape(transaction(PATIENT, document(**given)), plan(FHIR), SEEDS).data)
    assert not [one for one in made if one["resourceType"] == "DocumentReference"]


def test_a_binary_is_its_text() -> None:
    known = Known((("patient.name", "", "Quarrel"),))
    seeds = SEEDS.__class__(
        SEEDS.subject_seed, SEEDS.device_key, "OUT-1", 2026, text=Context(known, lambda *_: REMOVE)
    )
    given = {"resourceType": "Binary", "id": "b1", "contentType": "image/png", "data": b64("on Quarrel")}
    (left,) = resources(shape(put(given), plan(FHIR), seeds).data)
    assert b64decode(left["data"]) == b"on [name]"


def test_a_note_of_an_observation_is_cleaned_anew_for_each_patient() -> None:
    """What is remembered of a shape is not what was found in its text."""
    from oathward.protocols.fhir.shapes import decode

    made = plan(FHIR)
    given = {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-01-02T03:04:05Z", "note": [{"text": "Quarrel Hawksworth Zephyr"}],
        "valueQuantity": {"value": 71, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }  # fmt: skip
    seen = []
    for number, name in enumerate(("Quarrel", "Hawksworth", "Zephyr", "Quarrel", "Quarrel", "Hawksworth")):
        raw = b"PUT Observation/o%d\n\n" % number + json.dumps(given | {"id": f"o{number}"}).encode()
        known = Known((("patient.name", "", name),))
        seeds = SEEDS.__class__(
            SEEDS.subject_seed, SEEDS.device_key, "OUT-1", 2026, text=Context(known, lambda *_: REMOVE)
        )
        left = shape(decode(raw), made, seeds).data.decode()
        seen.append(name in left)
    assert seen == [False] * 6
