"""What is said of DICOM is what becomes of DICOM: of every attribute by the compiler, of the made-up image by shaping it."""

from dataclasses import replace

import pytest

from oathward.deid import words, words_dicom
from oathward.deid.profile import builtin_profiles
from oathward.deidentifying.example.preview import preview
from oathward.protocols.dicom import annex_e
from oathward.protocols.dicom.compiling import Compiler, Means
from oathward.protocols.dicom.dictionary import tags, vr_of
from oathward.protocols.shaping import REMOVE

PROFILES = builtin_profiles()
MEANS = Means(*[lambda value, _context: value] * 3, text=lambda value, _context: value)


EVERY = {**PROFILES, "keeps UIDs": replace(PROFILES["research"], dicom=(annex_e.RETAIN_UIDS,))}


@pytest.mark.parametrize("name", EVERY)
def test_what_nobody_asks_the_profile_about_is_told_and_nothing_else(name: str):
    asked = []

    def decide(cls, _part):
        asked.append(cls)
        return REMOVE

    compiler = Compiler(decide, frozenset(EVERY[name].dicom), MEANS, lambda *_: None, searches=False)
    looked = 0
    for tag in tags():
        vr = vr_of(tag)
        if vr in (None, b"SQ") or not 2 < tag >> 16 < 0xFFFA or tag == 0x00420011:
            continue
        asked.clear()
        _op, cls = compiler.op(tag, vr, emptied=False)
        became = words_dicom.outcome(EVERY[name], tag, vr)
        if cls != "structure" and tag not in (0x00080005, 0x00100010, 0x00100020):
            assert (cls in asked) == (became == words_dicom.ASKED), hex(tag)
            looked += 1
    assert looked > 1_500


@pytest.mark.parametrize("name", PROFILES)
def test_the_made_up_image_becomes_what_is_said(name: str):
    profile = PROFILES[name]
    seen = set()
    for row in preview(profile, "dicom").rows:
        if "." in row.place or row.name == "private" or row.place.startswith("(0002") or not row.before:
            continue
        tag = int(row.place[1:5] + row.place[6:10], 16)
        became = words_dicom.outcome(profile, tag, vr_of(tag))
        seen.add(became)
        if became.split()[-1] in ("removed", "emptied"):
            assert not row.after, row.place
        elif became.startswith("replaced"):
            assert row.after not in ("", row.before), row.place
    assert words_dicom.ASKED in seen
    assert len(seen) > 2


def test_births_that_move_elsewhere_are_emptied_in_dicom_and_the_page_says_so():
    said = {row.cls: row for row in words.said(PROFILES["research"])}
    assert said["patient.birth-date"].becomes.startswith("moves by")
    assert "PatientBirthDate (0010,0030) is emptied" in said["patient.birth-date"].dicom
    assert said["device.type"].dicom == ""
    assert said["order"].dicom == "all its 4 attributes are emptied"
    assert "keyed name of the person" in said["patient.name"].dicom
    telemetry = {row.cls: row for row in words.said(PROFILES["device-telemetry"])}
    assert telemetry["patient.name"].dicom == "", "no pseudonym leaves of whom it removes the numbers"
