"""The example as DICOM: the header of an ultrasound image, without pixels.

Rules:
- Why an attribute became what it did is what PS3.15 Annex E says of it under the profile's options; where that keeps or cleans,
  the words of its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import pack, unpack_from

from oathward.deid.action import Seeds
from oathward.deid.profile import Profile
from oathward.deidentifying.example.rows import Example, Reasons, Row, Value
from oathward.deidentifying.example.story import Story
from oathward.protocols.dicom import annex_e, catalogue
from oathward.protocols.dicom.charset import text_of
from oathward.protocols.dicom.dictionary import BINARY_SIZES, OPAQUE, keyword, vr_of
from oathward.protocols.dicom.reader import EXPLICIT, EXPLICIT_LE, Element, decode, place
from oathward.protocols.dicom.values import element, item

_UTF8 = b"ISO_IR 192"
_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
_ROOT = "2.25.31415926535897932384626433832795"
_PERSON = frozenset((catalogue.PATIENT_NAME, catalogue.PATIENT_ID))
_NUMBERS = {b"US": "<H", b"SS": "<h", b"UL": "<L", b"SL": "<l", b"FL": "<f", b"FD": "<d", b"AT": "<HH"}
_SAYS = {
    "D": "a dummy stands in its place",
    "Z": "is emptied",
    "X": "is removed",
    "U": "becomes another UID, the same for the same",
}
_Path = tuple[int, ...]

_META_GROUP = 2
_KIND = "names a kind of thing, not this one: it stays"
_META = "file meta information is written anew"


def _told(story: Story) -> bytes:
    day, time = story.at[:10].replace("-", ""), story.at[11:].replace(":", "")
    born = story.born.replace("-", "")
    age = int(story.at[:4]) - int(story.born[:4]) - (story.at[5:10] < story.born[5:10])
    procedure = (
        _text(0x00080100, b"SH", "US-ABD"),
        _text(0x00080102, b"SH", "99LOCAL"),
        _text(0x00080104, b"LO", f"Abdomen, {story.family}"),
    )
    elements = (
        element(EXPLICIT, 0x00080005, b"CS", _UTF8),
        _text(0x00080008, b"CS", "ORIGINAL\\PRIMARY"),
        _text(0x00080016, b"UI", _ULTRASOUND),
        _text(0x00080018, b"UI", f"{_ROOT}.3"),
        _text(0x00080020, b"DA", day),
        _text(0x00080030, b"TM", time),
        _text(0x00080050, b"SH", story.order),
        _text(0x00080060, b"CS", "US"),
        _text(0x00080070, b"LO", story.make),
        _text(0x00080080, b"LO", story.facility),
        _text(0x00080090, b"PN", f"{story.doctor}^{story.doctor_given}"),
        _text(0x00081010, b"SH", story.application[:16]),
        _text(0x00081030, b"LO", f"Abdomen, {story.given} {story.family}"),
        element(EXPLICIT, 0x00081032, b"SQ", item(EXPLICIT, b"".join(procedure))),
        _text(0x00081090, b"LO", story.model),
        _text(0x00100010, b"PN", f"{story.family}^{story.given}"),
        _text(0x00100020, b"LO", story.number),
        _text(0x00100021, b"LO", story.namespace or story.oid),
        _text(0x00100030, b"DA", born),
        _text(0x00100040, b"CS", "F"),
        _text(0x00101010, b"AS", f"{age:03}Y"),
        _text(0x00101040, b"LO", f"{story.street}, {story.city}"),
        _text(0x00104000, b"LT", story.note),
        _text(0x00181000, b"LO", story.unit),
        _text(0x0020000D, b"UI", f"{_ROOT}.1"),
        _text(0x0020000E, b"UI", f"{_ROOT}.2"),
        _text(0x00200010, b"SH", story.order),
        _text(0x00200013, b"IS", "1"),
        _text(0x00290010, b"LO", "INVENTED 1.0"),
        _text(0x00291001, b"LO", f"{story.kind} of {story.ward}"),
        _text(0x00380010, b"LO", story.stay),
    )
    meta = b"".join(
        (
            element(EXPLICIT, 0x00020001, b"OB", b"\0\1"),
            _text(0x00020002, b"UI", _ULTRASOUND),
            _text(0x00020003, b"UI", f"{_ROOT}.3"),
            _text(0x00020010, b"UI", EXPLICIT_LE),
            _text(0x00020012, b"UI", f"{_ROOT}.9"),
        )
    )
    length = element(EXPLICIT, 0x00020000, b"UL", pack("<L", len(meta)))
    return bytes(128) + b"DICM" + length + meta + b"".join(elements)


def _text(tag: int, vr: bytes, text: str) -> bytes:
    return element(EXPLICIT, tag, vr, text.encode())


def _rows(
    before: bytes, after: bytes | None, profile: Profile, _plan: object, _seeds: Seeds
) -> Sequence[Row]:
    reasons, options = Reasons(profile), frozenset(profile.dicom)
    old, new = (dict(_leaves(data)) if data else {} for data in (before, after))
    made = []
    for path in sorted({*old, *new}):
        row = reasons.row(old.get(path), new.get(path))
        made.append(row._replace(why=_why(row, path, options, reasons)))
    return made


def _leaves(data: bytes) -> Iterator[tuple[_Path, Value]]:
    """Give every value with its path: tags, with the number of the item between them."""
    file = decode(data)
    yield from _of((), file.meta, file.data, b"")
    yield from _of((), file.elements, file.data, _UTF8)


def _of(
    path: _Path, elements: Sequence[Element], data: memoryview, charset: bytes
) -> Iterator[tuple[_Path, Value]]:
    for tag, vr, _start, begin, end, items in elements:
        if items is not None:
            for n, one in enumerate(items):
                yield from _of((*path, tag, n + 1), one.elements, data, charset)
        elif end > begin:
            cls, _part = catalogue.class_of(tag, vr)
            text = _shown(bytes(data[begin:end]), vr, charset)
            yield (*path, tag), Value(_place((*path, tag)), cls, text, keyword(tag) or "private")


def _place(path: _Path) -> str:
    return "".join(place(step) if n % 2 == 0 else f"[{step}]." for n, step in enumerate(path))


def _shown(value: bytes, vr: bytes, charset: bytes) -> str:
    if vr in OPAQUE:
        return f"{len(value)} bytes"
    if vr in BINARY_SIZES:
        return "\\".join(
            str(unpack_from(_NUMBERS[vr], value, at)[0]) for at in range(0, len(value), BINARY_SIZES[vr])
        )
    return text_of(value, charset, vr).strip()


def _why(row: Row, path: _Path, options: frozenset[int], reasons: Reasons) -> str:
    """Say why, where Annex E or the file itself decides before the class does."""
    tag = path[-1]
    if path[0] >> 16 == _META_GROUP:
        return _META
    if row.what == "added":
        return row.why
    for above in path[:-1:2]:
        action, whose = _action(above, b"SQ", options)
        if action in ("X", "Z"):
            return f"{whose} the sequence {place(above)} {_SAYS[action]}, and what stands in it goes with it"
    if tag in _PERSON and row.what == "changed":
        return reasons.becomes("patient.identifier")
    return _of_attribute(row, tag, options)


def _of_attribute(row: Row, tag: int, options: frozenset[int]) -> str:
    action, whose = _action(tag, vr_of(tag) or b"UN", options)
    if action in _SAYS and row.what != "kept":
        return f"{whose} {_SAYS[action]}"
    if row.cls == "message.control" and row.what == "kept":
        return _KIND
    by = ", ".join(str(code) for code, _ in getattr(annex_e.row_of(tag), "options", ()) if code in options)
    return f"{row.why} (PS3.15 Annex E, option {by})" if by else row.why


def _action(tag: int, vr: bytes, options: frozenset[int]) -> tuple[str, str]:
    """Give what is done with an attribute before its class is asked, and who says so."""
    action = catalogue.treatment(tag, vr, options, known=bool(keyword(tag))).action
    return action, "PS3.15 Annex E:" if annex_e.row_of(tag) else "Annex E does not name it:"


def _document(_data: bytes) -> str:
    return ""


EXAMPLE = Example("DICOM", "example.dcm", _told, _rows, _document)
