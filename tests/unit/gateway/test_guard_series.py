"""Samples that follow each other are no patient's number, on either wire; a number that stands among them is."""

import json

import pytest
from bench.guard_fhir import message_of

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard, search
from oathward.gateway.guard.original import of_fhir, of_hl7v2
from oathward.gateway.guard.verdict import CLEAN, Stop
from oathward.protocols.hl7v2.reader import decode, joined

NUMBER = "97100000"
QUIET = [120] * 40


def of_hl7(samples):
    """Make a waveform (NA) of a patient: what came, and what would leave of it."""
    header = b"MSH|^~\\&|A|B|C|D|20260301||ORU^R01^ORU_R01|M1|P|2.6"
    who = f"PID|1||{NUMBER}^^^HOSP^MR||Brockhausen^Zo".encode()
    wave = f"OBX|1|NA|131329^MDC_ECG_ELEC_POTL_I^MDC||{'^'.join(map(str, samples))}||||||F".encode()
    return of_hl7v2(decode(joined([header, who, wave]))), joined([header, wave])


def of_json(samples):
    """Make an ECG of a patient."""
    data = {"origin": {"value": 0}, "period": 4.0, "dimensions": 1, "data": " ".join(map(str, samples))}
    left = {"resourceType": "Observation", "status": "final", "valueSampledData": data}
    who = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"value": NUMBER}],
        "name": [{"family": "Brockhausen"}],
    }
    came = left | {"subject": {"reference": "Patient/p1"}}
    return of_fhir(message_of([who, came])), json.dumps(left, separators=(",", ":")).encode()


def verdict(make, samples):
    original, outgoing = make(samples)
    return Guard(WordHasher(bytes(32))).check(original, outgoing, carries_identity=False)


@pytest.mark.parametrize("make", [of_hl7, of_json])
@pytest.mark.parametrize(
    "written", [(12, 97, 100, 0, 0, 0, 5), (12, -97, 10, 0, 0, 0, 0), ("1.5", 9, 7, 100, 0, 0, 0)]
)
def test_samples_that_follow_each_other_are_no_number_of_the_patient(make, written, monkeypatch):
    samples = [*QUIET, *written, *QUIET]
    assert verdict(make, samples) == CLEAN
    monkeypatch.setattr(search, "_in_a_series", lambda *_: False)  # the reverse
    assert isinstance(verdict(make, samples), Stop)


@pytest.mark.parametrize("make", [of_hl7, of_json])
@pytest.mark.parametrize(
    "samples",
    [[*QUIET, NUMBER, *QUIET], [NUMBER, *QUIET], [97, 10, "00", "00"], [5, 97, 100, "000", 5]],
)
def test_a_number_among_samples_and_one_written_in_parts_stop(make, samples):
    assert isinstance(verdict(make, samples), Stop)
