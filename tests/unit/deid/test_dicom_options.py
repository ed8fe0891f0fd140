"""The options of PS3.15 a profile names, and files shaped by a whole profile."""

from dataclasses import replace

import pytest
from tests.dicom import ct, dataset, encoded, read
from tests.shaped import SEEDS, applied

from oathward.core.errors import PolicyError
from oathward.core.labels import CLASSES
from oathward.deid.action import Seeds
from oathward.deid.dicom import Remembered, compile_dicom, known_of
from oathward.deid.profile import builtin_profiles, parse
from oathward.deid.text.model import Context, Known
from oathward.protocols.dicom.reader import decode
from oathward.protocols.shaping import KEEP, REMOVE


def profile(table: str):
    return parse("one", f'name = "one"\n[actions]\n"structure" = "keep"\n"note.text" = "keep"\n{table}')


def test_options_are_read_in_order_and_once():
    assert profile("[dicom]\noptions = [113108, 113107, 113108]").dicom == (113107, 113108)
    assert profile("").dicom == ()


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("[dicom]\noption = [113107]", "profiles/one.toml dicom"),
        ("[dicom]\noptions = 113107", "profiles/one.toml dicom.options"),
        ("[dicom]\noptions = [113100]", "profiles/one.toml dicom.options"),
        ("[dicom]\noptions = [113102]", "profiles/one.toml dicom.options"),
        ("[dicom]\noptions = [1]", "profiles/one.toml dicom.options"),
        ('[dicom]\noptions = ["113107"]', "profiles/one.toml dicom.options"),
        ("[dicom]\noptions = [113106, 113107]", "profiles/one.toml dicom.options"),
    ],
)
def test_options_that_are_none_or_contradict_are_refused(table, where):
    with pytest.raises(PolicyError) as refused:
        profile(table)
    assert refused.value.where == where


def test_the_patient_has_the_pseudonym_and_the_dates_that_messages_have():
    file = decode(encoded(ct(SeriesDate="20240301", PatientAge="093Y", PatientSex="F")))
    out = read(compile_dicom(builtin_profiles()["research"], CLASSES)(file, "1", SEEDS).joined(file.data))
    name = applied("pseudonym", "MRN-0047110")
    assert (out.PatientID, out.PatientName) == (name, name)
    assert out.StudyDate == applied("shift", "20240229", cls="observation.time")
    assert out.SeriesDate == applied("shift", "20240301", cls="observation.time")
    assert out.SOPInstanceUID == applied("uid", "1.3.6.1.4.1.99999.1.2.3", cls="message.control")
    assert (out.PatientAge, out.PatientSex) == ("090Y", "F")


@pytest.mark.parametrize("name", ["safe-harbor", "research"])
def test_a_standards_word_stays_unless_it_names_the_patient(name):
    def code(meaning):
        return dataset(CodeValue="T-D4000", CodingSchemeDesignator="SRT", CodeMeaning=meaning)

    codes = [code("Abdomen"), code("Abdomen, Moreau")]
    file = decode(encoded(ct(AnatomicRegionSequence=codes)))
    seeds = replace(SEEDS, text=Context(known_of(file), lambda _cls, _part: REMOVE, "en"))
    out = read(compile_dicom(builtin_profiles()[name], CLASSES)(file, "1", seeds).joined(file.data))
    kept, named = (one.CodeMeaning for one in out.AnatomicRegionSequence)
    assert kept == "Abdomen"
    assert "Moreau" not in named


def test_a_text_is_cleaned_of_what_the_file_knows():
    found = profile("[dicom]\noptions = [113105]")
    file = decode(encoded(ct(StudyDescription="CT for Moreau, Adele of 12.04.1953")))
    context = Context(known_of(file), lambda cls, _part: KEEP if cls == "note.text" else REMOVE)
    seeds = Seeds(SEEDS.subject_seed, SEEDS.device_key, "1", 2026, text=context)
    write = compile_dicom(found, CLASSES)
    out = read(write(file, "1", seeds).joined(file.data))
    assert out.StudyDescription.startswith("CT for [name]")
    assert "Moreau" not in out.StudyDescription
    assert "StudyDescription" not in read(write(file, "1", SEEDS).joined(file.data))


def test_what_is_remembered_of_one_subject_is_not_given_to_another():
    asked = []

    def transform(value, seeds):
        asked.append(value)
        return f"{value} {seeds.days}"

    remembered = Remembered(transform)
    first = Seeds(SEEDS.subject_seed, SEEDS.device_key, "1", 2026, days=3)
    known = Context(Known((("patient.name", "", "Moreau"),)), lambda _cls, _part: REMOVE)
    others = (
        Seeds(bytes(32), SEEDS.device_key, "1", 2026, days=3),
        Seeds(SEEDS.subject_seed, SEEDS.device_key, "1", 2026, days=4),
        Seeds(SEEDS.subject_seed, SEEDS.device_key, "1", 2026, days=3, text=known),
    )
    assert [remembered("a", first), remembered("a", first)] == ["a 3", "a 3"]
    assert asked == ["a"]
    for number, other in enumerate(others):
        assert remembered("a", other) == f"a {other.days}"
        assert len(asked) == 2 + number
