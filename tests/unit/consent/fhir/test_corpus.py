"""Each Consent of the corpus is read, says its edition, and goes out and in again as either."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from tests.corpus import CORPUS, needs_corpus

from oathward.consent.fhir.parts import REMARKS
from oathward.consent.fhir.r5 import edition_of
from oathward.consent.fhir.reader import read
from oathward.consent.fhir.write import Head, write
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.json import dumps

NOW_US = micros(dt.datetime(2026, 11, 22, tzinfo=dt.UTC))
WHO = {"system": "urn:x", "value": "1"}


def consents(found: Any) -> Iterator[dict[str, Any]]:
    """Every Consent within something, however deep."""
    if isinstance(found, dict):
        if found.get("resourceType") == "Consent":
            yield found
        for value in found.values():
            yield from consents(value)
    elif isinstance(found, list):
        for value in found:
            yield from consents(value)


def of_the_corpus() -> list[dict[str, Any]]:
    """Every Consent of the sets of FHIR; Synthea's bundles have none and are large."""
    files = sorted(file for file in (CORPUS / "fhir").rglob("*.json") if file.stat().st_size < 1_000_000)
    return [one for file in files for one in consents(orjson.loads(file.read_bytes()))]


@needs_corpus
def test_each_is_read_and_is_the_same_written_as_either_edition():
    found = of_the_corpus()
    assert len(found) >= 6
    written = 0
    for one in found:
        assert edition_of(one) == ("r4", False)
        reading = read(one, dumps(one), now_us=NOW_US)
        assert {remark.code for remark in reading.remarks} <= set(REMARKS)
        facts = {replace(s.fact, id="") for s in reading.statements}
        for edition in ("r4", "r5"):
            try:
                made = write(reading.statements, Head("s", WHO, edition, NOW_US))
            except InputError as error:
                if error.reason is not Reason.CONSENT_NOT_IN_FHIR:
                    raise
                continue
            written += bool(made)
            assert {replace(s.fact, id="") for r in made for s in read(r, dumps(r)).statements} == facts
    assert written >= 8, "most can be said in both"
