"""The example as HL7 v2: an ``ORU^R01`` with a relative, a doctor, two observations, a note and a segment that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from oathward.deid.action import Seeds
from oathward.deid.profile import Profile
from oathward.deidentifying.example.rows import Example, Reasons, Row, Value, aligned, paired
from oathward.deidentifying.example.story import Story
from oathward.protocols.hl7v2.escapes import USUAL, escape_bytes
from oathward.protocols.hl7v2.leaves import leaves
from oathward.protocols.hl7v2.reader import decode

_Segment = tuple[str, dict[str, Value]]


def _told(story: Story) -> bytes:
    def text(value: str) -> str:
        return escape_bytes(value.encode(), USUAL).decode()

    at, born = _compact(story.at), _compact(story.born)
    authority = f"{text(story.namespace)}&{story.oid}&ISO"
    name = f"{text(story.family)}^{text(story.given)}"
    doctor = f"{story.doctor_number}^{text(story.doctor)}^{text(story.doctor_given)}"
    address = f"{text(story.street)}^^{text(story.city)}^{story.state}^{story.postcode}"
    unit = f"{text(story.unit)}^^{text(story.unit)}^EUI-64"
    rows = (
        f"MSH|^~\\&|{text(story.application)}|{text(story.facility)}|OATHWARD|SITE|{at}||ORU^R01^ORU_R01|EX-1|P|2.6|||AL|NE||UNICODE UTF-8",
        f"PID|1||{story.number}^^^{authority}^MR~{story.national}^^^USSSA^SS||{name}||{born}|F|||{address}||{story.phone}",
        f"NK1|1|{text(story.family)}^{text(story.relative)}|SPO|{address}|{story.phone}",
        f"PV1|1|I|{text(story.ward)}^12^2||||{doctor}||||||||||||{story.stay}",
        f"OBR|1|{story.order}||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|||{at}",
        f"OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.0.0.1|97|%^^UCUM|||||F|||{at}||||{unit}",
        f"OBX|2|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.0.0.2|72|/min^^UCUM|||||F|||{at}||||{unit}",
        f"NTE|1||{text(story.note)}",
        f"ZMK|1|{text(story.make)} {text(story.model)}",
    )
    return ("\r".join(rows) + "\r").encode()


def _rows(
    before: bytes, after: bytes | None, profile: Profile, _plan: object, _seeds: Seeds
) -> Sequence[Row]:
    reasons = Reasons(profile)
    pairs = aligned(_segments(before), _segments(after) if after else [], _alike)
    return [
        row for old, new in pairs for row in paired(old[1] if old else {}, new[1] if new else {}, reasons)
    ]


def _segments(data: bytes) -> list[_Segment]:
    """Give the values of each segment by their place inside it; a first component alone is the whole field."""
    seen: dict[str, int] = {}
    found: list[_Segment] = []
    for name, inside in leaves(decode(data)):
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        found.append(
            (
                name,
                {
                    place.removesuffix(".1"): Value(f"{shown}{place}", cls, text)
                    for place, (cls, text) in inside.items()
                },
            )
        )
    return found


def _alike(old: _Segment, new: _Segment) -> int:
    if old[0] != new[0]:
        return 0
    return 1 + sum(new[1][place].text == one.text for place, one in old[1].items() if place in new[1])


def _document(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r", "\n").strip()


def _compact(iso: str) -> str:
    """Write a day or a moment as DTM."""
    return iso.replace("-", "").replace("T", "").replace(":", "")


EXAMPLE = Example("HL7 v2", "example.hl7", _told, _rows, _document)
