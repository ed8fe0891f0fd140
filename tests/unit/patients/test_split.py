"""A result about several patients becomes one message a patient, and nothing is lost."""

import pytest
from tests.unit.patients.making import message

from oathward.patients.split import PARTS_MAX, split
from oathward.protocols.hl7v2.reader import Limits, decode


def lines(raw):
    return decode(raw).segments


def test_each_part_has_the_header_and_one_patient():
    m = message("ORU^R01", "SFT|x", "PID|1", "PV1|1", "OBR|1", "OBX|1", "PID|2", "OBR|2", "OBX|2", "DSC|")
    first, second = split(m)
    assert lines(first)[1:] == [b"SFT|x", b"PID|1", b"PV1|1", b"OBR|1", b"OBX|1"]
    assert lines(second)[1:] == [b"SFT|x", b"PID|2", b"OBR|2", b"OBX|2", b"DSC|"]
    assert lines(first)[0] == lines(second)[0] == m.segments[0]


def test_what_stands_before_the_first_patient_is_nobodys():
    parts = split(message("ORU^R01", "OBR|0", "OBX|0", "PID|1", "PID|2"))
    assert [lines(p)[1:] for p in parts] == [[b"OBR|0", b"OBX|0"], [b"PID|1"], [b"PID|2"]]


@pytest.mark.parametrize(
    "m", [message("ORU^R01", "PID|1", "OBX|1"), message("ADT^A24", "PID|1", "PID|2"), message("ORU^R01")]
)
def test_others_stay_as_they_are(m):
    assert split(m) == [m.raw]


def test_too_many_are_not_split():
    raw = message("ORU^R01").raw + b"PID|1\r" * (PARTS_MAX + 1)
    m = decode(raw, limits=Limits(patients_max=PARTS_MAX + 1))
    assert split(m) == [m.raw]
