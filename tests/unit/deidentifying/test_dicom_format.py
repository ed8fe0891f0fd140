"""The promise: an image of a folder is looked at where it may show text, and says so only then; what no viewer shows goes too."""

import dataclasses

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests.pixels import CT, Sees, anatomy, file_of, image, nobody, write
from tests.shaped import SEEDS

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.deid.pixels.models import rows_of
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import Known
from oathward.deidentifying.format import Folder, Terms
from oathward.deidentifying.formats import dicom
from oathward.deidentifying.residue import found_in, words_of
from oathward.protocols.dicom.reader import decode

ROWS, COLUMNS = 96, 160
BOX = (20, 8, 140, 26)
RESEARCH = builtin_profiles()["research"]
EVERY = dataclasses.replace(RESEARCH, dicom=(*RESEARCH.dicom, 113101))


def drawn():
    pixels = anatomy(ROWS, COLUMNS, 1) // 3
    pixels[:36] = 10
    write(pixels, "FERNANDEZ", 24, 9, 16, 230)
    return pixels


def slice_of(pixels, **more):
    """A CT slice of 16 bits, of which no header says that it is at risk."""
    return image(
        pixels.astype(np.uint16),
        sop_class=CT,
        **{
            "Modality": "CT",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "BitsStored": 12,
            "HighBit": 11,
            **more,
        },
    )


def left(data: bytes, read, *, profile=RESEARCH, models=()):
    """Give what leaves of a file."""
    terms = Terms(profile, Folder("files"), read=read, models=models)
    content = dicom.FORMAT.read(memoryview(data), terms)
    shaped = content.units[0].shape(dicom.FORMAT.compile(terms), SEEDS)
    pieces = content.put_together([shaped])
    out = b"".join(piece if isinstance(piece, bytes) else data[piece[0] : sum(piece)] for piece in pieces)
    from io import BytesIO

    from pydicom import dcmread

    return dcmread(BytesIO(out))


def codes(made) -> set[str]:
    return {code.CodeValue for code in made.DeidentificationMethodCodeSequence}


def sees():
    return Sees("FERNANDEZ", BOX, COLUMNS)


def test_an_image_that_was_blanked_says_so():
    made = left(file_of(image(drawn())), sees())
    assert np.ptp(made.pixel_array[BOX[1] : BOX[3], BOX[0] : BOX[2]]) == 0
    assert ("113101" in codes(made), made.BurnedInAnnotation) == (True, "NO")


def test_one_that_was_not_looked_at_does_not():
    made = left(file_of(slice_of(drawn(), BurnedInAnnotation="NO")), None)
    assert "113101" not in codes(made)
    assert np.array_equal(made.pixel_array, drawn())


def test_a_profile_with_the_option_has_every_image_looked_at():
    made = left(file_of(slice_of(drawn())), sees(), profile=EVERY)
    assert np.ptp(made.pixel_array[BOX[1] : BOX[3], BOX[0] : BOX[2]]) == 0
    assert "113101" in codes(made)
    with pytest.raises(DeidentificationError) as caught:
        left(file_of(slice_of(drawn())), None, profile=EVERY)
    assert caught.value.reason is Reason.PIXELS_HELD


def test_what_a_site_knows_of_its_devices_goes_though_no_header_and_no_reader_finds_it():
    rows = rows_of(f"Acme\tScope\tV2\t{ROWS}x{COLUMNS}\t20,8,140,26\tseen on site\n", "boxes.tsv")
    made = slice_of(
        drawn(), Manufacturer="ACME", ManufacturerModelName="Scope", SoftwareVersions=["OS 4", "V2"]
    )
    after = left(file_of(made), nobody, models=rows)
    x0, y0, x1, y1 = BOX
    assert np.ptp(after.pixel_array[y0:y1, x0:x1]) == 0
    mask = np.ones((ROWS, COLUMNS), dtype=bool)
    mask[y0:y1, x0:x1] = False
    assert np.array_equal(after.pixel_array[mask], drawn()[mask])
    assert np.array_equal(left(file_of(made), nobody).pixel_array, drawn())
    made.SoftwareVersions = "V3"
    assert np.array_equal(left(file_of(made), nobody, models=rows).pixel_array, drawn())


def overlaid(**more):
    """A slice with a name in a bit above the stored ones, and no other sign."""
    ink = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
    write(ink, "FERNANDEZ", 24, 40, 16, 255)
    return slice_of(drawn() | ((ink > 128).astype(np.uint16) << 13), **more)


@pytest.mark.parametrize("declared", [False, True])
def test_an_overlay_in_high_bits_goes_though_no_reader_sees_it(declared: bool):
    made = overlaid()
    if declared:
        made.add_new(0x60000100, "US", 16)
        made.add_new(0x60000102, "US", 13)
    assert int(np.frombuffer(made.PixelData, "<u2").max()) >> 12
    after = left(file_of(made), nobody)
    assert int(np.frombuffer(after.PixelData, "<u2").max()) >> 12 == 0
    assert np.array_equal(after.pixel_array, drawn())
    with pytest.raises(DeidentificationError):
        left(file_of(made), None)


def test_values_that_are_not_in_the_lowest_bits_are_held():
    with pytest.raises(DeidentificationError) as caught:
        left(file_of(slice_of(drawn(), HighBit=15)), nobody)
    assert caught.value.reason is Reason.PIXELS_HELD


@pytest.mark.parametrize("how", ["deflated", "without a head"])
def test_data_sets_of_other_forms_are_looked_at_too(how: str):
    made = image(drawn())
    if how == "deflated":
        made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data = file_of(made)
    else:
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        whole = file_of(made)
        data = whole[decode(whole).body :]
    after = left(data, sees())
    assert np.ptp(after.pixel_array[BOX[1] : BOX[3], BOX[0] : BOX[2]]) == 0


CHARSETS = [
    ("ISO_IR 100", "Müller^Jörgen"),
    ("ISO_IR 101", "Wałęsa^Łukasz"),
    ("ISO_IR 144", "Люксембург^Анна"),
    ("ISO_IR 192", "Müller^Jörgen"),
    ("GB18030", "王^小东"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
]


def residue_of(charset, name, text, *, texts=True):
    """Give what the search finds in a file that says a text, of which it is known who is named."""
    said = slice_of(drawn(), SpecificCharacterSet=charset, PatientName=name)
    left = slice_of(drawn(), SpecificCharacterSet=charset, PatientName="X", PatientID="X")
    left.DerivationCodeSequence = [Dataset()]
    left.DerivationCodeSequence[0].CodeMeaning = text
    known = dicom.FORMAT.read(memoryview(file_of(said)), Terms(RESEARCH, Folder("files"))).units[0].known()
    data, words = file_of(left), WordHasher(bytes(32))
    return found_in(
        data, words, words_of(known, RESEARCH, words), dicom.FORMAT.texts(data) if texts else None
    )


@pytest.mark.parametrize(("charset", "name"), CHARSETS)
def test_a_name_that_was_written_is_found_in_every_character_set(charset, name):
    text = name.split("=")[-1].replace("^", "")
    spaced = name.split("=")[-1].replace("^", " ")
    assert residue_of(charset, name, f"of {spaced} here") == {"patient.name": 1}
    if not text.isascii() and text >= "\u2e80":
        assert residue_of(charset, name, text) == {"patient.name": 1}
    assert not residue_of(charset, name, spaced[:3])


def test_by_its_bytes_alone_it_would_not_be():
    assert not residue_of("ISO_IR 100", "Müller^Jörgen", "of Müller Jörgen", texts=False)


def test_what_looks_like_text_in_pixels_is_searched_too():
    made = slice_of(drawn(), PatientID="MRN-0042-7731")
    data, words = bytearray(file_of(made)), WordHasher(bytes(32))
    known = words_of(Known((("patient.identifier", "", "MRN-0042-7731"),)), RESEARCH, words)
    data[-40:-20] = b"\0 ID MRN-0042-7731 \0"
    plain = bytes(data).replace(b"MRN-0042-7731", b"XXXXXXXXXXXXX", 1)
    assert found_in(plain, words, known, dicom.FORMAT.texts(plain)) == {"patient.identifier": 1}
    none = plain.replace(b"MRN-0042-7731", b"XXXXXXXXXXXXX")
    assert not found_in(none, words, known, dicom.FORMAT.texts(none))
