"""The promise: who put a person's name or number into a code, or into anything else that a profile keeps, does not get it out."""

import dataclasses

import pytest
from tests.dicom import ct, dataset, encoded, read
from tests.shaped import SEEDS

from oathward.core.errors import DecodeError
from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.deid.dicom import compile_dicom, known_of
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import Context
from oathward.protocols.dicom.named import Words
from oathward.protocols.dicom.reader import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, decode
from oathward.protocols.shaping import REMOVE

RESEARCH = builtin_profiles()["research"]
WRITE = compile_dicom(RESEARCH, CLASSES)
PRIVATE = compile_dicom(dataclasses.replace(RESEARCH, dicom=(*RESEARCH.dicom, 113111)), CLASSES)
KEPT = (
    *((0x00080060, "CS"), (0x00180015, "CS"), (0x00180022, "CS"), (0x00180024, "SH"), (0x00185100, "CS")),
    *((0x00200020, "CS"), (0x00200060, "CS"), (0x00280301, "CS"), (0x00080070, "LO"), (0x00081090, "LO")),
    *((0x00181020, "LO"), (0x00180020, "CS"), (0x00181210, "SH"), (0x00281054, "LO")),
    *((0x00280004, "CS"), (0x00204000, "LT"), (0x00180010, "LO"), (0x00089215, "SQ"), (0x00282000, "OB")),
    *((0x00280303, "CS"), (0x00102160, "SH"), (0x00101080, "LO"), (0x00080061, "CS"), (0x00283003, "LO")),
)
WRITTEN = ("MOREAU", "MOREAU_ADELE", "CT ADELE2", "DR OKAFOR", "MRN0047110", "MRN 0047110", "19530412")
SECRETS = (b"MOREAU", b"ADELE", b"OKAFOR", b"0047110", b"19530412", b"LI WEI")


def left(data: bytes, write=WRITE):
    file = decode(data)
    seeds = dataclasses.replace(SEEDS, text=Context(known_of(file), lambda _cls, _part: REMOVE))
    return write(file, "1", seeds).joined(file.data)


def made(**values):
    return ct(**{"ReferringPhysicianName": "Okafor^Ngozi", "Manufacturer": "ACME", "KVP": "120", **values})


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("text", WRITTEN)
def test_nothing_of_a_person_is_left_in_what_is_kept(text, syntax):
    file = made()
    for tag, vr in KEPT:
        if vr == "SQ":
            code = dataset(CodeValue=text[:16], CodingSchemeDesignator=text[:16], CodeMeaning=text)
            file.add_new(tag, "SQ", [code, dataset(ViewCodeSequence=[code])])
        else:
            file.add_new(tag, vr, text.encode() if vr == "OB" else text)
    out = left(encoded(file, syntax)).upper()
    assert [secret for secret in SECRETS if secret in out] == []


def test_numbers_that_are_a_persons_go_and_others_stay():
    planted = {"AcquisitionNumber": "9047110", "SOPClassUID": "1.2.3.9047110"}
    out = left(encoded(made(PatientID="MRN-9047110", SeriesNumber="47110", **planted)))
    assert b"9047110" not in out
    told = read(out)
    assert (told.SeriesNumber, told.KVP, told.AcquisitionNumber) == (47110, 120, None)
    assert told.SOPClassUID == told.file_meta.MediaStorageSOPClassUID


def test_a_name_in_the_place_of_binary_numbers_goes():
    file = made()
    file.add_new(0x00281101, "US", [1, 2, 3])
    out = left(encoded(file).replace(b"\1\0\2\0\3\0", b"MOREAU"))
    assert b"MOREAU" not in out
    assert read(out)[0x00281101].is_empty


def test_what_its_maker_says_is_safe_is_looked_at_too():
    file = made()
    block = file.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "LO", "800 Moreau")
    block.add_new(0x0E, "LO", "800")
    out = left(encoded(file), PRIVATE)
    assert b"Moreau" not in out
    assert [one.value for one in read(out) if one.tag.is_private] == ["SIEMENS MR HEADER", "800"]


@pytest.mark.parametrize("name", ["Li^Wei", "Ho^A", "Ea^Ad", "Young^Head"])
def test_short_names_are_no_part_of_other_words(name):
    kept = {"BodyPartExamined": "HEAD", "Manufacturer": "LIGHT HOUSE", "ScanOptions": ["CLINICAL", "HO_X"]}
    out = read(left(encoded(made(**kept, PatientName=name, PatientID="47"))))
    whole = {part.upper() for part in name.split("^") if len(part) > 1}
    assert out.Manufacturer == "LIGHT HOUSE"
    assert out.BodyPartExamined == ("REMOVED" if "HEAD" in whole else "HEAD")
    assert list(out.ScanOptions) == ["CLINICAL", "REMOVED" if "HO" in whole else "HO_X"]
    assert out.Modality == "CT"


@pytest.mark.parametrize(
    ("charset", "name", "kept"),
    [
        ("ISO_IR 100", "Müller^Jörg", "Firma MÜLLER"),
        ("ISO_IR 100", "Müller^Jörg", "Firma Muller"),
        ("ISO_IR 192", "Łukasiewicz^Jan", "LUKASIEWICZ 2"),
        ("ISO_IR 144", "Люкceмбypг^Анна", "Модель ЛЮКCEМБYPГ"),
        ("GB18030", "Wang^XiaoDong=王^小东", "型号小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "山田"),
    ],
)
def test_names_are_found_in_the_character_set_they_are_written_in(charset, name, kept):
    file = made(
        SpecificCharacterSet=charset, PatientName=name, Manufacturer=kept, ManufacturerModelName="Scan"
    )
    out = read(left(encoded(file)))
    assert (out.Manufacturer, out.ManufacturerModelName) == ("", "Scan")


def test_a_code_that_the_standard_does_not_list_goes_and_those_it_lists_stay():
    file = made(
        Modality="SMITH",
        PatientOrientation=["L", "PH"],
        Laterality="B",
        PatientPosition="HFS",
        BurnedInAnnotation="JONES",
    )
    file.add_new(0x00180022, "CS", ["PER", "OTHER_1"])
    out = read(left(encoded(file)))
    assert (out.Modality, out.Laterality, out.BurnedInAnnotation) == ("REMOVED", "REMOVED", "REMOVED")
    assert (list(out.PatientOrientation), out.PatientPosition) == (["L", "PH"], "HFS")
    assert list(out.ScanOptions) == ["PER", "OTHER_1"]


@pytest.mark.parametrize("place", [b"ISO_IR 100", b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.5.1.4.1.1.2\0"])
def test_a_name_in_the_place_of_a_character_set_or_a_uid_does_not_leave(place):
    data = encoded(made())
    name = b"MOREAU" if place.endswith(b"0") else place[:18] + b"MOREAU"
    planted = data.replace(place, name.ljust(len(place))[: len(place)])
    assert planted != data
    if place.endswith(b"1\0"):
        with pytest.raises(DecodeError) as caught:
            left(planted)
        assert caught.value.reason is Reason.FORMAT_UNSUPPORTED
    else:
        assert b"MORE" not in left(planted)


def test_without_the_search_they_would_be_left(monkeypatch):
    monkeypatch.setattr(Words, "near", lambda _self, _data, _charset: False)
    out = left(encoded(made(ManufacturerModelName="Moreau", BodyPartExamined="MOREAU")))
    assert (b"Moreau" in out, b"MOREAU" in out) == (True, True)


def test_a_profile_that_keeps_names_keeps_them_wherever_they_are():
    kept = dataclasses.replace(
        RESEARCH, actions=tuple({**dict(RESEARCH.actions), "patient.name": "keep"}.items())
    )
    file = encoded(made(ManufacturerModelName="Moreau"))
    assert read(left(file, compile_dicom(kept, CLASSES))).ManufacturerModelName == "Moreau"
