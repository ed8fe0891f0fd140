"""Whom a file is about."""

from tests.dicom import ct, dataset, encoded

from oathward.protocols.dicom.persons import identifiers_of, known_values_of
from oathward.protocols.dicom.reader import decode


def test_numbers_count_with_their_issuer_the_files_own_first():
    qualifiers = dataset(UniversalEntityID="1.2.3.4", UniversalEntityIDType="ISO")
    other = dataset(PatientID="CZ-9", IssuerOfPatientID="NATION", TypeOfPatientID="TEXT")
    made = ct(
        IssuerOfPatientID="HOSPITAL",
        IssuerOfPatientIDQualifiersSequence=[qualifiers],
        OtherPatientIDsSequence=[other, dataset(IssuerOfPatientID="NOBODY")],
        OtherPatientIDs="OLD-1",
    )
    found = identifiers_of(decode(encoded(made)))
    assert [(one.value.reveal(), *one[1:]) for one in found] == [
        ("MRN-0047110", "HOSPITAL", "1.2.3.4", "ISO"),
        ("CZ-9", "NATION", "", ""),
    ]
    assert "MRN" not in repr(found)


def test_who_has_no_number_has_no_identifier():
    assert identifiers_of(decode(encoded(ct(PatientID="")))) == ()


def test_what_texts_may_name_somebody_by_is_known_at_every_depth():
    made = ct(
        PatientName="Moreau^Adèle=Моро^Адель",
        SpecificCharacterSet="ISO_IR 192",
        OtherPatientIDs=["OLD-1", "OLD-2"],
        ReferringPhysicianName="Okafor^Ngozi",
        InstitutionName="St. Elsewhere",
        AccessionNumber="ACC-77",
        SourceImageSequence=[dataset(DeviceSerialNumber="SN-4711")],
        StudyDescription="CT of the head",
    )
    known = {(cls, value) for cls, _part, value in known_values_of(decode(encoded(made)))}
    assert known == {
        ("patient.name", "Moreau"),
        ("patient.name", "Adèle"),
        ("patient.name", "Моро"),
        ("patient.name", "Адель"),
        ("patient.identifier", "MRN-0047110"),
        ("patient.identifier", "OLD-1"),
        ("patient.identifier", "OLD-2"),
        ("patient.birth-date", "19530412"),
        ("staff.name", "Okafor"),
        ("staff.name", "Ngozi"),
        ("organisation.name", "St. Elsewhere"),
        ("order", "ACC-77"),
        ("device.identity", "SN-4711"),
    }
