"""What leaves of a file: by option, by class, in every encoding, and what it says of itself."""

import pytest
from tests.dicom import PERSON, ct, dataset, encoded, read, rewriter, shaped, uid

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.dicom.reader import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, decode
from oathward.protocols.dicom.rewrite import RUN_BYTES_MIN
from oathward.protocols.shaping import KEEP, REMOVE

DEFLATED = "1.2.840.10008.1.2.1.99"


def left(made, *options, **other):
    return read(shaped(encoded(made), *options, **other)[1])


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED])
def test_every_encoding_is_written_as_it_came_and_says_what_was_done(syntax):
    out = read(shaped(encoded(ct(), syntax), 113107)[1])
    assert (out.PatientName, out.PatientID, out.PatientBirthDate) == (PERSON, PERSON, "")
    assert (out.StudyDate, out.PatientIdentityRemoved) == ("20140229", "YES")
    assert [code.CodeValue for code in out.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"
    assert out.PixelData == bytes(range(32))
    assert (
        out.SOPInstanceUID == out.file_meta.MediaStorageSOPInstanceUID == uid("1.3.6.1.4.1.99999.1.2.3", None)
    )
    assert out.file_meta.TransferSyntaxUID == (EXPLICIT_LE if syntax == DEFLATED else syntax)
    assert out.preamble == bytes(128)


def test_pixel_data_is_a_run_of_the_input_and_never_copied():
    made = ct(Rows=100, Columns=100, PixelData=bytes(20_000))
    data = encoded(made)
    done, _out = shaped(data)
    runs = [piece for piece in done.pieces if not isinstance(piece, bytes)]
    assert len(runs) == 1
    assert runs[0][1] >= 20_000 > RUN_BYTES_MIN


@pytest.mark.parametrize(
    ("options", "said"), [((), "REMOVED"), ((113106,), "UNMODIFIED"), ((113107,), "MODIFIED")]
)
def test_the_output_says_what_became_of_dates(options, said):
    assert left(ct(), *options).LongitudinalTemporalInformationModified == said


def test_pixels_that_were_cleaned_are_told():
    data = encoded(ct(BurnedInAnnotation="YES"))
    file = decode(data)
    done = rewriter()(file, "1", None, pixels_cleaned=True)
    assert read(done.joined(file.data)).BurnedInAnnotation == "NO"
    assert left(ct(BurnedInAnnotation="YES")).BurnedInAnnotation == "YES"


def test_a_profile_narrows_what_an_option_keeps_and_never_widens_it():
    made = ct(PatientSex="F", PatientAge="077Y", DeviceSerialNumber="SN-4711", OperatorsName="Okafor^Ngozi")
    kept = left(made, 113108, 113109)
    assert (kept.PatientSex, kept.PatientAge, kept.DeviceSerialNumber) == ("F", "077Y", "SN-4711")
    assert kept.OperatorsName == "REMOVED"  # all is permitted, and the table says otherwise

    closed = {"patient.demographic", "device.identity", "patient.identifier"}
    none = left(made, 113108, 113109, decide=lambda cls, _part: REMOVE if cls in closed else KEEP)
    assert (none.PatientSex, none.DeviceSerialNumber, none.PatientID) == ("", "REMOVED", "")
    assert "PatientAge" not in none


def test_an_age_over_89_goes_where_the_profile_lists_ages():
    def listed(value, _context):
        return value if value.isdecimal() and int(value) <= 89 else ""

    def decide(cls, _part):
        return listed if cls == "patient.demographic" else KEEP

    assert left(ct(PatientAge="089Y"), 113108, decide=decide).PatientAge == "089Y"
    assert left(ct(PatientAge="003M"), 113108, decide=decide).PatientAge == "003M"
    assert "PatientAge" not in left(ct(PatientAge="090Y"), 113108, decide=decide)


def test_texts_are_cleaned_where_something_cleans_them_and_go_where_nothing_does():
    made = ct(StudyDescription="CT of Moreau", WindowCenterWidthExplanation=["Moreau", "BONE"])
    assert "StudyDescription" not in left(made)
    assert left(made, 113105).WindowCenterWidthExplanation == ""

    def text(value, _context):
        return value.replace("Moreau", "[name]")

    out = left(made, 113105, text=text)
    assert (out.StudyDescription, list(out.WindowCenterWidthExplanation)) == (
        "CT of [name]",
        ["[name]", "BONE"],
    )


def test_what_stands_where_a_number_or_a_code_should_does_not_leave():
    made = ct()
    made.add_new(0x00180060, "DS", "120")
    made.add_new(0x00180015, "CS", "CHEST")
    made.add_new(0x00280120, "SS", 5)
    data = encoded(made).replace(b"120 ", b"Dr.X").replace(b"CHEST ", b"moreau")
    out = read(shaped(data)[1])
    assert (out["KVP"].value in ("", None), out.BodyPartExamined) == (True, "REMOVED")


def test_private_attributes_go_but_for_safe_ones_where_the_option_says_so():
    made = ct()
    block = made.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "800")
    block.add_new(0x10, "LO", "Moreau^Adele")
    made.private_block(0x0029, "ACME", create=True).add_new(0x0C, "IS", "12")
    assert not [one for one in left(made) if one.tag.is_private]
    out = left(made, 113111)
    assert [int(one.tag) for one in out if one.tag.is_private] == [0x00190010, 0x0019100C]


def test_overlays_and_curves_go_whole():
    made = ct()
    made.add_new(0x60000010, "US", 4)
    made.add_new(0x60003000, "OW", bytes(2))
    made.add_new(0x60004000, "LT", "Moreau")
    made.add_new(0x50003000, "OW", b"Moreau")
    assert not [one for one in left(made) if one.tag.group >> 8 in (0x50, 0x60)]


def test_an_encapsulated_document_is_held():
    made = ct(EncapsulatedDocument=b"%PDF-1.4 Moreau ")
    with pytest.raises(DeidentificationError) as held:
        shaped(encoded(made))
    assert (held.value.reason, held.value.where) == (Reason.DOCUMENT_HELD, "(0042,0011)")


def report(**content):
    code = dataset(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")
    local = dataset(CodeValue="M1", CodingSchemeDesignator="99ACME", CodeMeaning="seen by Moreau")
    items = [
        dataset(ValueType="TEXT", ConceptNameCodeSequence=[code], TextValue="Adele Moreau has a nodule"),
        dataset(ValueType="PNAME", ConceptNameCodeSequence=[code], PersonName="Okafor^Ngozi"),
        dataset(ValueType="DATE", ConceptNameCodeSequence=[code], Date="20240229"),
        dataset(ValueType="UIDREF", ConceptNameCodeSequence=[code], UID="1.3.6.1.4.1.99999.77"),
        dataset(ValueType="CODE", ConceptNameCodeSequence=[local], ConceptCodeSequence=[code]),
        dataset(ValueType="CONTAINER", ContentSequence=[dataset(ValueType="TEXT", TextValue="Moreau again")]),
    ]
    return ct(Modality="SR", ContentSequence=items)


def test_a_report_keeps_its_tree_and_its_codes_where_structured_content_is_cleaned():
    def text(value, _context):
        return value.replace("Moreau", "[name]").replace("Adele", "[name]")

    out = left(report(), 113104, 113107, text=text).ContentSequence
    assert out[0].TextValue == "[name] [name] has a nodule"
    assert (out[1].PersonName, out[2].Date, out[3].UID) == (
        "REMOVED",
        "20140229",
        uid("1.3.6.1.4.1.99999.77", None),
    )
    assert out[4].ConceptCodeSequence[0].CodeMeaning == "Finding"
    assert out[4].ConceptNameCodeSequence[0].CodeMeaning == "seen by [name]"
    assert out[5].ContentSequence[0].TextValue == "[name] again"
    bare = left(report(), 113104).ContentSequence
    assert (bare[0].TextValue, bare[5].ContentSequence[0].TextValue) == ("REMOVED", "REMOVED")


def test_a_report_says_nothing_where_its_content_is_not_cleaned():
    out = left(report()).ContentSequence
    assert [item.TextValue for item in out] == ["REMOVED"]


def test_a_sequence_that_becomes_a_dummy_keeps_its_form_alone():
    code = dataset(CodeValue="E4711", CodingSchemeDesignator="99ACME", CodeMeaning="Okafor, Ngozi")
    operator = dataset(
        PersonIdentificationCodeSequence=[code],
        InstitutionName="St. Elsewhere",
        PersonTelephoneNumbers="5551234567",
    )
    out = left(ct(OperatorIdentificationSequence=[operator])).OperatorIdentificationSequence[0]
    inner = out.PersonIdentificationCodeSequence[0]
    assert (inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning) == (
        "REMOVED",
        "REMOVED",
        "REMOVED",
    )
    assert out.InstitutionName == "REMOVED"
    assert "PersonTelephoneNumbers" not in out


def test_graphic_annotations_keep_their_graphics_where_they_are_cleaned():
    note = dataset(UnformattedTextValue="Moreau", BoundingBoxAnnotationUnits="PIXEL")
    graphic = dataset(GraphicData=[1.0, 2.0], NumberOfGraphicPoints=1, GraphicDimensions=2)
    made = ct(GraphicAnnotationSequence=[dataset(TextObjectSequence=[note], GraphicObjectSequence=[graphic])])
    cleaned = left(made, 113103).GraphicAnnotationSequence[0]
    assert list(cleaned.GraphicObjectSequence[0].GraphicData) == [1.0, 2.0]
    assert cleaned.TextObjectSequence[0].UnformattedTextValue == "REMOVED"
    gone = left(made).GraphicAnnotationSequence[0]
    assert list(gone.GraphicObjectSequence[0].GraphicData) == [0.0, 0.0]
    assert gone.TextObjectSequence[0].UnformattedTextValue == "REMOVED"


def test_uids_stay_consistent_and_those_of_the_standard_stay():
    own, other = "1.3.6.1.4.1.99999.1.2.3", "1.2.840.10008.1.4.1.1"
    made = ct(
        SourceImageSequence=[dataset(ReferencedSOPInstanceUID=own, ReferencedSOPClassUID=ct().SOPClassUID)],
        FrameOfReferenceUID=other,
        FailedSOPInstanceUIDList=[own, "1.3.6.1.4.1.99999.5"],
    )
    out = left(made)
    assert out.SourceImageSequence[0].ReferencedSOPInstanceUID == out.SOPInstanceUID == uid(own, None)
    assert out.SourceImageSequence[0].ReferencedSOPClassUID == made.SOPClassUID
    assert out.FrameOfReferenceUID == other
    assert list(out.FailedSOPInstanceUIDList) == [uid(own, None), uid("1.3.6.1.4.1.99999.5", None)]
    kept = left(made, 113110)
    assert kept.SOPInstanceUID == kept.file_meta.MediaStorageSOPInstanceUID == own
