"""Messages that others wrote: mapped to valid R4, mapped back without an unlisted loss, and compared with the FHIR
that two other converters are known to give.

``v2fhir-compared.tsv`` has every element that one of us fills, how many values agree and how many only one of us
gives, and why. It is exact: a new difference turns the test red, and so does a vanished one. ``scripts/compared.py``
counts it anew and asks for the reasons that are missing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from scripts.compared import TABLE, rewritten
from tests.corpus import CORPUS, needs_corpus
from tests.v2fhir import OUTGOING, Round, mistakes

from oathward.core.errors import DecodeError
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import mappable, to_fhir

pytestmark = [needs_corpus, pytest.mark.corpus]

HERE = Path(__file__).parent
FOLDER = CORPUS / "hl7v2"
MESSAGES = sorted(FOLDER.rglob("*.hl7"))
TYPES = frozenset(("Patient", "Encounter", "Observation", "DiagnosticReport", "Account"))
LEFT_OUT = frozenset(("id", "meta", "extension", "reference", "resourceType", "contained"))
"""What each converter makes up for itself: ids, profiles, extensions and the references between them."""

Values = dict[str, set[str]]


def mapped(path: Path):
    """Decode a message that has a mapping; None for any other."""
    try:
        message = decode(path.read_bytes())
    except DecodeError:
        return None
    return message if mappable(message.code, message.trigger) else None


def test_real_messages_are_mapped_and_mapped_back_exactly():
    done, count = Round(), 0
    for path in MESSAGES:
        message = mapped(path)
        if message is None:
            continue
        count += 1
        assert mistakes(to_fhir(message, OUTGOING)) == [], path.name
        assert done.take(message).wrong == [], path.name
    lost = sum(number for loss, number in done.lost.items() if loss.when != "other-segment")
    print(f"{count} messages: {done.kept.total()} values come back, {lost} are listed as lost, "
          f"{done.lost.total() - lost} stand in segments without a mapping")  # fmt: skip
    assert count == 60


def test_content_is_what_other_converters_give():
    listed = {
        (name, path): (numbers, reason) for name, path, *numbers, reason in lines("v2fhir-compared.tsv")
    }
    found = compared()
    for name in sorted({name for name, _ in found}):
        own = [counts for (converter, _), counts in found.items() if converter == name]
        agreed = sum(counts[0] for counts in own)
        whole = sum(counts[1] + counts[2] == 0 for counts in own)
        print(f"{name}: {agreed} values agree; of {len(own)} elements {whole} agree in all, "
              f"{len(own) - whole} differ somewhere")  # fmt: skip
    assert {key: [str(n) for n in counts] for key, counts in found.items()} == {
        key: numbers for key, (numbers, _) in listed.items()
    }
    assert [
        key for key, (numbers, reason) in listed.items() if bool(reason) != (numbers[1:] != ["0", "0"])
    ] == []


def lines(name: str) -> list[list[str]]:
    """Read a table beside this file, comments left out."""
    text = (HERE / name).read_text("utf-8").splitlines()
    return [line.split("\t") for line in text if line and not line.startswith("#")]


def compared() -> dict[tuple[str, str], list[int]]:
    """Compare every message of which the corpus has the FHIR.

    (converter, element) -> how many values both give, only we, only the converter; message by message.
    """
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, source, expected in pairs():
        message = mapped(source)
        if message is None:
            continue
        ours, theirs = of(json.loads(to_fhir(message, OUTGOING))), of(json.loads(expected.read_bytes()))
        for path in ours.keys() | theirs.keys():
            one, other = ours.get(path, set()), theirs.get(path, set())
            for i, values in enumerate((one & other, one - other, other - one)):
                found[name, path][i] += len(values)
    return dict(found)


def pairs():
    """Give (converter, message, its FHIR)."""
    for source in sorted((FOLDER / "fhir-converter-input").glob("*.hl7")):
        folder = FOLDER / "fhir-converter-expected-fhir" / "_".join(source.stem.split("-")[:2])
        for expected in folder.glob(f"{source.stem}*.json"):
            yield "fhir-converter", source, expected
    for source in sorted((FOLDER / "cdc-elr" / "HL7_to_FHIR").glob("*.hl7")):
        yield "cdc-elr", source, source.with_suffix(".fhir")


def of(bundle: dict) -> Values:
    """List the primitive values of a bundle by element."""
    found: Values = defaultdict(set)
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] in TYPES:
            _walk(entry["resource"], entry["resource"]["resourceType"], found)
    return found


def _walk(node: object, path: str, found: Values) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            if (
                name not in LEFT_OUT
                and not name.startswith("_")
                and not (name == "text" and isinstance(value, dict))
            ):
                _walk(value, f"{path}.{name}", found)
    elif isinstance(node, list):
        for value in node:
            _walk(value, path, found)
    elif node is not None:
        found[path].add(str(node).strip())


def test_reverse_a_value_that_changes_is_seen(monkeypatch):
    usual, before = to_fhir, compared()
    monkeypatch.setitem(
        globals(), "to_fhir", lambda message, id_: usual(message, id_).replace(b'"family":"', b'"family":"X')
    )
    after = compared()
    assert {path for (_, path), counts in after.items() if counts != before[_, path]} == {
        "Patient.name.family",
        "Patient.contact.name.family",
    }


def test_the_script_keeps_reasons_and_asks_for_new_ones():
    table = "# head\nx\tA.b\t1\t0\t2\tbecause\nx\tA.c\t1\t1\t0\tonce\nx\tA.gone\t1\t0\t0\t\n"
    found = {("x", "A.new"): [0, 3, 0], ("x", "A.b"): [2, 0, 1], ("x", "A.c"): [4, 0, 0]}
    text, missing = rewritten(table, found)
    assert text == "# head\nx\tA.b\t2\t0\t1\tbecause\nx\tA.c\t4\t0\t0\t\nx\tA.new\t0\t3\t0\t\n"
    assert missing == [("x", "A.new")]


def test_the_table_is_as_the_script_writes_it():
    assert rewritten(TABLE.read_text("utf-8"), compared()) == (TABLE.read_text("utf-8"), [])
