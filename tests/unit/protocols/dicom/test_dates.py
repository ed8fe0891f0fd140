"""Which dates of a file move by the patient's days, and which go: those that others know, or that many patients share."""

import pytest
from tests.dicom import ct, encoded, read, shaped

from oathward.protocols.dicom import annex_e, catalogue
from oathward.protocols.dicom.dictionary import TIMES, tags, vr_of
from oathward.protocols.shaping import KEEP

TIMEZONE = 0x00080201
TRUE = {b"SH": "+0200", b"DA": "20240229", b"DT": "20240229101112", b"TM": "101112"}
DATES = sorted(tag for tag in tags() if vr_of(tag) in TIMES and tag >> 16 > 7)


def moved(value, _context):
    return f"{int(value[:4]) - 10}{value[4:]}" if value.isdigit() and len(value) != 6 else value


def left(tag, *options, decide=lambda _cls, _part: KEEP):
    """Give what leaves of an attribute: its value, or nothing."""
    made = ct()
    vr = vr_of(tag)
    made.add_new(tag, vr.decode(), TRUE[vr])
    out = read(shaped(encoded(made), *options, decide=decide, shift=moved)[1])
    return str(out[tag].value) if tag in out else ""


def test_every_date_that_is_no_patients_is_one_the_table_would_move():
    for tag in catalogue.NO_PATIENTS:
        assert (annex_e.RETAIN_LONGITUDINAL_MODIFIED_DATES, "C") in annex_e.rows()[tag].options
        assert vr_of(tag) in TIMES or tag == TIMEZONE


@pytest.mark.parametrize("options", [(113107,), (113107, 113109)])
def test_what_others_know_or_many_share_is_neither_moved_nor_kept(options):
    unnamed = [tag for tag in DATES if annex_e.row_of(tag) is None]
    assert len(unnamed) > 10
    for tag in (*catalogue.NO_PATIENTS, *unnamed):
        assert left(tag, *options) in ("", "19000101", "19000101000000", "000000"), hex(tag)


def test_nor_is_it_where_dates_stay_and_a_class_moves_them():
    for tag in catalogue.NO_PATIENTS - {TIMEZONE}:
        found = left(tag, 113106, decide=lambda cls, _part: KEEP if cls == "observation.value" else moved)
        assert found in ("", "19000101", "19000101000000", "000000"), hex(tag)


def test_events_of_the_patient_move_and_full_dates_stay():
    for tag in (0x00080020, 0x0008002A, 0x00181078, 0x0040A032, 0x30080250, 0x300A0006, 0x00700082):
        assert left(tag, 113107)[:4] == "2014"
    assert left(0x00080106, 113106) == TRUE[b"DT"]
    assert sum(left(tag, 113107)[:4] == "2014" for tag in DATES if vr_of(tag) != b"TM") > 60
