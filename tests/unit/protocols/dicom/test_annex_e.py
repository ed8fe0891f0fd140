"""The table of PS3.15 Annex E: what is taken of it, and that it is the standard's."""

import json

import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.protocols.dicom import annex_e

_OPTIONS = {
    "rtnSafePrivOpt": annex_e.RETAIN_SAFE_PRIVATE,
    "rtnUIDsOpt": annex_e.RETAIN_UIDS,
    "rtnDevIdOpt": annex_e.RETAIN_DEVICE_IDENTITY,
    "rtnInstIdOpt": annex_e.RETAIN_INSTITUTION_IDENTITY,
    "rtnPatCharsOpt": annex_e.RETAIN_PATIENT_CHARACTERISTICS,
    "rtnLongFullDatesOpt": annex_e.RETAIN_LONGITUDINAL_FULL_DATES,
    "rtnLongModifDatesOpt": annex_e.RETAIN_LONGITUDINAL_MODIFIED_DATES,
    "cleanDescOpt": annex_e.CLEAN_DESCRIPTORS,
    "cleanStructContOpt": annex_e.CLEAN_STRUCTURED_CONTENT,
    "cleanGraphOpt": annex_e.CLEAN_GRAPHICS,
}


@pytest.mark.parametrize(
    ("tag", "options", "action"),
    [
        (0x00100010, (), "Z"),
        (0x00100020, (), "D"),  # Z/D
        (0x00080022, (), "Z"),  # X/Z
        (0x00080080, (), "D"),  # X/Z/D
        (0x00081140, (), "U"),  # X/Z/U*
        (0x00080018, (), "U"),
        (0x00080018, (113110,), "K"),
        (0x00080020, (113106,), "K"),
        (0x00080020, (113107,), "C"),
        (0x00181200, (113109,), "K"),  # a device's date
        (0x00181200, (113107, 113109), "C"),  # cleaning is stricter than keeping
        (0x00102110, (113105, 113108), "C"),
        (0x60023000, (), "X"),
        (0x50001234, (), "X"),
        (0x00091001, (), "X"),
        (0x00091001, (113111,), "C"),
    ],
)
def test_of_a_choice_that_is_taken_which_keeps_every_iod_valid(tag, options, action):
    row = annex_e.row_of(tag)
    assert row is not None
    assert annex_e.action_of(row, frozenset(options)) == action


def test_what_the_table_does_not_name_has_no_row():
    assert annex_e.row_of(0x00280010) is None
    assert annex_e.row_of(0x60000010) is None


@pytest.mark.corpus
@needs_corpus
def test_each_row_is_the_standards():
    path = CORPUS / "dicom" / "ps3.15-annex-e" / "confidentiality_profile_attributes.json"
    listed = json.loads(path.read_text())
    assert len(listed) == annex_e.ROW_COUNT
    patterns = {"50xxxxxx": 0x50021000, "60xx4000": 0x60044000, "60xx3000": 0x60063000}
    for one in listed:
        place = one["id"]
        tag = 0x00110101 if place.startswith("gggg") else patterns.get(place) or int(place, 16)
        row = annex_e.row_of(tag)
        assert row is not None, one["tag"]
        assert row.basic == one["basicProfile"], one["tag"]
        assert dict(row.options) == {_OPTIONS[key]: one[key] for key in _OPTIONS if key in one}, one["tag"]
    assert len(annex_e.rows()) == annex_e.ROW_COUNT - 4
