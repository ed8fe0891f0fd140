"""DICOM: Part 10 files, and data sets without preamble; one image, report, waveform or plan a file.

Rules:
- The file stays where it is: what is not touched, pixels above all, is copied by the kernel.
- An image whose header says that text may be burned in is read; what is no clinical marker is blanked. Where nothing here reads, it is held.
- A profile with the option 113101 (Clean Pixel Data) has every image read, whatever its header says.

Source: DICOM PS3.10 §7 (file format), PS3.15 Annex E.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any, Literal, NamedTuple

from oathward.core.errors import DecodeError, DeidentificationError
from oathward.core.labels import CLASSES
from oathward.deid import dicom
from oathward.deid.action import Seeds
from oathward.deid.pixels.model import Cleaned, Held, Outcome
from oathward.deid.pixels.models import Made, known
from oathward.deid.pixels.risk import Header, signs_of
from oathward.deid.plan import deciding
from oathward.deid.text.model import Context, Known
from oathward.deidentifying.format import Content, Format, Shaped, Terms, Unit, one_after_another
from oathward.patients.dicom import spoken_of
from oathward.protocols.dicom.annex_e import CLEAN_PIXEL_DATA
from oathward.protocols.dicom.persons import texts_of
from oathward.protocols.dicom.pixel_data import high_bits_used
from oathward.protocols.dicom.reader import EXPLICIT, File, decode, pixels_of, text_of
from oathward.protocols.dicom.values import element
from oathward.protocols.shaping import Decide

_PREAMBLE = 128
_MARK = b"DICM"
_BYTES_MAX = 8 << 30
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_REGIONS = 0x00186011
_OVERLAY_BITS = frozenset(group << 16 | 0x0102 for group in range(0x6000, 0x6020, 2))
_WORDS = {
    0x00080016: "sop_class",
    0x00080060: "modality",
    0x00280301: "burned_in",
    0x00080064: "conversion_type",
    0x00280004: "photometric",
}
_MADE_BY = (0x00080070, 0x00081090, 0x00181020, 0x00280010, 0x00280011)
"""Manufacturer, model, software versions, rows, columns."""

_PRINTED_MIN = 6
_IS_PRINTED = bytes(0x20 <= byte <= 0x7E for byte in range(256))
"""As many letters and digits as anything that is searched for has."""

_IMAGE_TYPE, _BITS_STORED = 0x00080008, 0x00280101


def _recognise(head: bytes, name: str) -> bool:
    marked = head[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK
    return marked or (name.endswith((".dcm", ".dicom")) and head[:1] in (b"\x02", b"\x08"))


class _Compiled(NamedTuple):
    write: Any
    decide: Decide


def _compile(terms: Terms) -> _Compiled:
    return _Compiled(dicom.compile_dicom(terms.profile, CLASSES), deciding(terms.profile, CLASSES))


def _read(data: memoryview, terms: Terms) -> Content:
    file = decode(data)
    return Content([_unit(file, terms)], one_after_another)


def _unit(file: File, terms: Terms) -> Unit:
    known_here = cache(partial(dicom.known_of, file))

    def shape(compiled: _Compiled, seeds: Seeds) -> Shaped:
        left, looked = _looked_at(file, terms)
        told = seeds.text.known.values if seeds.text else ()  # by other files of the folder
        known = Known((*known_here().values, *told))
        ready = replace(seeds, text=Context(known, compiled.decide, terms.language, ask=terms.ask))
        done = compiled.write(left, seeds.outgoing_id, ready, pixels_cleaned=looked)
        # Of a file that was deflated, or whose pixels were blanked, runs are not those of the file that came.
        pieces = done.pieces if left is file and not file.inflated else (done.joined(left.data),)
        return Shaped(pieces, done.removed, done.changed)

    return Unit(spoken_of(file, terms.folder, terms.hasher), known_here, shape)


def _looked_at(file: File, terms: Terms) -> tuple[File, bool]:
    """Give the file with what was burned in blanked, and whether its pixels were looked at.

    Raises:
        DeidentificationError: ``deid.pixels-held``.
    """
    if not any(one[0] in _PIXELS for one in file.elements):
        return file, False
    header = header_of(file)
    at_risk = known(made_by(file), terms.models) or signs_of(header)
    if CLEAN_PIXEL_DATA not in terms.profile.dicom and not at_risk:
        return file, False
    from oathward.deid.pixels.clean import clean

    outcome: Outcome = clean(
        _whole(file), terms.read, models=terms.models, every=True, overlaid=header.overlay_bits
    )
    if isinstance(outcome, Held):
        raise DeidentificationError("(7FE0,0010)", outcome.why, reason=outcome.reason)
    if isinstance(outcome, Cleaned):
        return decode(outcome.file), True
    return file, outcome.looked


def _whole(file: File) -> bytes:
    """Give the data set as a Part 10 file: it may have come without a head, or was deflated."""
    syntax = element(EXPLICIT, 0x00020010, b"UI", file.syntax.encode("ascii"))
    return bytes(_PREAMBLE) + _MARK + syntax + bytes(file.data[file.body :])


def _texts(data: bytes) -> Iterator[str]:
    """Give what of a file that was written is searched: its headers, their texts by their character set, and what looks like text in pixels."""
    try:
        file = decode(data)
    except DecodeError:
        yield data.decode("utf-8", "replace")
        return
    begin, end = pixels_of(file)
    if not file.inflated:
        yield b"\n".join((data[:begin], data[end:])).decode("utf-8", "replace")
    yield "\n".join(texts_of(file))
    yield b"\n".join(_printed(bytes(file.data[begin:end]))).decode("ascii")


def _printed(data: bytes) -> Iterator[bytes]:
    """Give runs of ASCII that can be printed: a pattern would go byte by byte through pixels that hold none."""
    marks = data.translate(_IS_PRINTED)
    begin = marks.find(b"\1" * _PRINTED_MIN)
    while begin >= 0:
        end = marks.find(b"\0", begin)
        yield data[begin : end if end >= 0 else len(data)]
        begin = marks.find(b"\1" * _PRINTED_MIN, end) if end >= 0 else -1


def made_by(file: File) -> Made:
    """Take what made an image out of a file."""
    found = {one[0]: one for one in file.elements if one[0] in _MADE_BY}

    def text(tag: int) -> str:
        return text_of(file.data, found[tag]) if tag in found else ""

    def number(tag: int) -> int:
        order: Literal["little", "big"] = "little" if file.encoding.little else "big"
        return int.from_bytes(file.view_of(found.get(tag))[:2], order)

    maker, model, software, rows, columns = _MADE_BY
    return Made(text(maker), text(model), number(rows), number(columns), tuple(text(software).split("\\")))


def header_of(file: File) -> Header:
    """Take what is looked at to say whether text may be burned in."""
    found: dict[str, Any] = {}
    for one in file.elements:
        tag = one[0]
        if tag in _WORDS:
            found[_WORDS[tag]] = text_of(file.data, one)
        elif tag == _IMAGE_TYPE:
            found["image_type"] = tuple(part.strip() for part in text_of(file.data, one).split("\\"))
        elif tag == _BITS_STORED:
            found["bits_stored"] = int.from_bytes(
                file.view_of(one)[:2], "little" if file.encoding.little else "big"
            )
        elif tag == _REGIONS:
            found["regions"] = len(one[5] or ())
        elif tag in _OVERLAY_BITS:
            found["overlay_bits"] = bool(found.get("overlay_bits")) or any(file.view_of(one))
    return Header(**found | {"overlay_bits": found.get("overlay_bits") or high_bits_used(file)})


FORMAT = Format("dicom", ".dcm", _recognise, _compile, _read, _BYTES_MAX, whole=False, texts=_texts)
