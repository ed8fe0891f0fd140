"""DICOM files for tests: written by pydicom, another hand than the reader's and the rewriter's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from oathward.protocols.dicom.compiling import Means
from oathward.protocols.dicom.reader import EXPLICIT_LE, decode
from oathward.protocols.dicom.rewrite import Rewriter, Shaped, compile_rewriter
from oathward.protocols.shaping import KEEP

CT = "1.2.840.10008.5.1.4.1.1.2"
PERSON = "ZQ7K2M5X9C4VT8RW"


def dataset(**values: Any) -> Any:
    """Give a data set by keywords."""
    from pydicom.dataset import Dataset

    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def ct(**values: Any) -> Any:
    """Give a CT image that has little; values by keyword come on top."""
    made = dataset(
        SpecificCharacterSet="ISO_IR 100",
        SOPClassUID=CT,
        SOPInstanceUID="1.3.6.1.4.1.99999.1.2.3",
        StudyInstanceUID="1.3.6.1.4.1.99999.1",
        SeriesInstanceUID="1.3.6.1.4.1.99999.1.2",
        Modality="CT",
        StudyDate="20240229",
        PatientName="Moreau^Adele",
        PatientID="MRN-0047110",
        PatientBirthDate="19530412",
        Rows=4,
        Columns=4,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
        PixelData=bytes(range(32)),
    )
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def encoded(made: Any, syntax: str = EXPLICIT_LE) -> bytes:
    """Write a file in a transfer syntax."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import dcmwrite

    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made["PixelData"].VR = "OW"
    out = io.BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def read(data: bytes) -> Any:
    """Read a file by pydicom."""
    from pydicom import dcmread

    return dcmread(io.BytesIO(data))


def uid(value: str, _context: object) -> str:
    """Give a UID for a UID; those of the standard for themselves."""
    if value.startswith("1.2.840.10008."):
        return value
    return f"2.25.{int.from_bytes(blake2b(value.encode(), digest_size=12).digest(), 'big')}"


def shift(value: str, _context: object) -> str:
    """Move a date by ten years, as if those were days."""
    return f"{int(value[:4]) - 10}{value[4:]}"


def means(**other: Any) -> Means:
    """Give means that are not secret."""
    given: Mapping[str, Any] = {
        "person": lambda _value, _context: PERSON,
        "uid": uid,
        "shift": shift,
        **other,
    }
    return Means(**given)


def rewriter(*options: int, decide: Any = None, **other: Any) -> Rewriter:
    """Compile a rewriter; by default every class is permitted, and only the table rules."""
    return compile_rewriter(decide or (lambda _cls, _part: KEEP), options, means(**other))


def shaped(data: bytes, *options: int, decide: Any = None, **other: Any) -> tuple[Shaped, bytes]:
    """Shape one file; give what was done and the output."""
    file = decode(data)
    done = rewriter(*options, decide=decide, **other)(file, "1", None)
    return done, done.joined(file.data)
