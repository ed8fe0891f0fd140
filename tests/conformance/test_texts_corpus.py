"""Notes, narratives and documents that nobody here wrote: what the structured part says of persons is not left in them."""

import json
import re
from base64 import b64decode
from functools import cache
from typing import Any

import pytest
from tests.conformance.test_deid_corpus import ALLOWED, left_of_people, messages
from tests.conformance.test_fhir_deid_corpus import BUNDLES, read, secrets
from tests.corpus import CORPUS, needs_corpus
from tests.fhir_shaped import transaction
from tests.shaped import SEEDS
from tests.texted import FHIR, plan, readings

from oathward.core.errors import DeidentificationError
from oathward.deid.plan import shape

pytestmark = needs_corpus

BULK = CORPUS / "fhir" / "bulk-10-patients"
Resource = dict[str, Any]


@cache
def patients() -> dict[str, Resource]:
    listed = [json.loads(line) for line in (BULK / "Patient.000.ndjson").read_text().splitlines()]
    return {f"Patient/{one['id']}": one for one in listed}


def names_of(patient: Resource) -> set[str]:
    """Give the words of a patient's names, with and without the figures that their maker put behind them."""
    words = {word for name in patient["name"] for word in (name["family"], *name["given"])}
    return words | {word.rstrip("0123456789") for word in words}


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text))


@pytest.mark.long  # 1,215 notes; those of bundles, below, are asked for each time
def test_no_note_of_the_bulk_export_names_its_patient() -> None:
    made, seen, told = plan(FHIR), 0, 0
    for line in (BULK / "DocumentReference.000.ndjson").read_text().splitlines():
        note = json.loads(line)
        patient = patients()[note["subject"]["reference"]]
        names = names_of(patient)
        before = "".join(b64decode(one["attachment"]["data"]).decode() for one in note["content"])
        told += not names.isdisjoint(words(before))
        left = shape(transaction(patient, note), made, SEEDS)
        assert left.data.count(b'"resourceType":"DocumentReference"') == 1
        assert all(names.isdisjoint(words(text)) for text in readings(left.data)), seen
        seen += 1
    print(f"{seen} notes, {told} named their patient")
    assert (seen, told) == (1_215, 1_215)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_nothing_the_patient_resource_says_is_left_in_a_bundle(path: Any) -> None:
    message = read(path)
    if message is None:
        pytest.skip("no update or transaction of valid R4")
    left = shape(message, plan(FHIR), SEEDS)
    seen = list(readings(left.data))
    for kind, found in secrets(message).items():
        for word in found:
            pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
            assert not any(pattern.search(text) for text in seen), (path.stem, kind)


def test_nothing_of_people_is_left_in_hl7_messages() -> None:
    made, seen = plan(), 0
    for name, message in messages():
        try:
            written = shape(message, made, SEEDS).data.decode(message.charset)
        except DeidentificationError:
            continue
        seen += 1
        left = {word for word in left_of_people(message, written) if not ALLOWED.fullmatch(word)}
        assert not left, (name, len(left))
        for text in readings(written.encode()):
            assert not {w for w in left_of_people(message, text) if not ALLOWED.fullmatch(w)}, name
    assert seen > 90
