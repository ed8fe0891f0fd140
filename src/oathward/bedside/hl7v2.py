"""Read what an HL7 v2 message tells of its patient: OBX rows, and the alarms of PCD-04.

Rules:
- A message with several PIDs is not read: whose a row is would have to be guessed.
- Waveforms, attachments and pointers are named, not shown.
- An alarm (ORU^R40) is the first row whose reference id begins with ``MDC_EVT``, with the attributes beside it.

Source: HL7 v2.8.2 §7.4 (OBR, OBX), table 0078 (flags), 0085 (status); IHE PCD TF-2 3.1, 3.4 and Appendix B.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

from oathward.bedside.picture import Alarm, Called, Reading, Told, pretty
from oathward.core.phi import Phi
from oathward.protocols.hl7v2.escapes import USUAL
from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.hl7v2.times import time_us
from oathward.protocols.v2fhir.units import ucum_of

_TAKEN_BACK = frozenset((b"D", b"W"))
_SHAPES = {"NA": "a waveform", "MA": "a waveform", "ED": "an attachment", "RP": "an attachment"}
_NULL = '""'
_TEXT_MAX = 400


def told(raw: bytes, message: str, came_us: int, into: Told) -> None:
    """Add what one message tells.

    Raises:
        DecodeError: it cannot be read.
    """
    found = decode(raw)
    pids = found.named(b"PID")
    if len(pids) > 1:
        into.unread += 1
        return
    if pids:
        into.called = _called(found, pids[0]) or into.called
    sent_us = min(time_us(found.header(7)) or came_us, came_us)
    if found.trigger == "R40":
        into.alarms += [
            replace(one, at_us=min(one.at_us, came_us)) for one in _alarms(found, message, sent_us)
        ]
        return
    taken_us = sent_us
    for segment in found.segments:
        if segment.startswith(b"OBR"):
            taken_us = time_us(found.field(segment, 7)) or sent_us
        elif segment.startswith(b"OBX"):
            one = _reading(found, segment, (message, taken_us), into)
            if one is not None:
                into.readings.append(one if one.at_us <= came_us else replace(one, at_us=came_us))


def _reading(m: Message, obx: bytes, came: tuple[str, int], into: Told) -> Reading | None:
    message, taken_us = came
    fields = m.fields(obx) + [b""] * 20
    if fields[11] in _TAKEN_BACK or not fields[3]:
        return None
    kind = _text(m, fields[2])
    value, number = _value(m, kind, m.repetitions(fields[5]))
    if not value:
        return None
    known = fields[3], fields[6], m.charset
    if known not in into.codes or m.separators != USUAL:
        code, text = _coded(m, fields[3])
        into.codes[known] = code, pretty(code, text), _unit(m, fields[6])
    code, name, unit = into.codes[known]
    return Reading(
        *(code, name, Phi(value), Phi(number), unit),
        *(time_us(fields[14]) or taken_us, message, _flag(m, fields[8])),
        *(_text(m, fields[7]), _place(m, fields[4])),
    )


def _value(m: Message, kind: str, repetitions: list[bytes]) -> tuple[str, float | None]:
    if kind in _SHAPES:
        return (_SHAPES[kind] if any(repetitions) else ""), None
    if kind == "NM":
        text = _text(m, repetitions[0])
        return text, _number(text)
    if kind == "SN":
        text = " ".join(part for n in range(1, 5) if (part := _text(m, m.part(repetitions[0], n))))
        plain = not _text(m, m.part(repetitions[0], 1)) and not _text(m, m.part(repetitions[0], 3))
        return text, _number(_text(m, m.part(repetitions[0], 2))) if plain else None
    if kind in {"CE", "CWE", "CNE", "CF"}:
        words = [_text(m, m.part(one, 2)) or _text(m, m.part(one, 1)) for one in repetitions]
    else:
        words = [_text(m, one) for one in repetitions]
    return ", ".join(filter(None, words))[:_TEXT_MAX], None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _alarms(m: Message, message: str, sent_us: int) -> Iterable[Alarm]:
    at_us, words, facts = sent_us, "", {"priority": "", "phase": "", "state": ""}
    for segment in m.segments:
        if segment.startswith(b"OBR"):
            at_us = time_us(m.field(segment, 7)) or sent_us
        if not segment.startswith(b"OBX"):
            continue
        code, text = _coded(m, m.field(segment, 3))
        value = _text(m, m.field(segment, 5))
        if text.startswith("MDC_EVT") and not words:
            words = value or pretty(code, text)
            facts["priority"] = _flag(m, m.field(segment, 8))
        elif text in _ATTRIBUTES and value:
            facts[_ATTRIBUTES[text]] = value
    return (
        [Alarm(Phi(words), facts["priority"], facts["phase"], facts["state"], at_us, message)]
        if words
        else []
    )


_ATTRIBUTES = {
    "MDC_ATTR_ALARM_PRIORITY": "priority",
    "MDC_ATTR_EVENT_PHASE": "phase",
    "MDC_ATTR_ALARM_STATE": "state",
}


def _called(m: Message, pid: bytes) -> Called | None:
    name = m.repetitions(m.field(pid, 5))[0]
    family, given = _text(m, m.part(name, 1, 1)), _text(m, m.part(name, 2))
    born = _text(m, m.field(pid, 7))[:8]
    number = _text(m, m.part(m.repetitions(m.field(pid, 3))[0], 1))
    if not (family or given or born):
        return None
    written = f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 and born.isdigit() else ""
    return Called(Phi(f"{given} {family}".strip()), Phi(written), Phi(number))


def _coded(m: Message, field: bytes) -> tuple[str, str]:
    code, text, system = (_text(m, m.part(field, n)) for n in (1, 2, 3))
    return f"{system}|{code}", text


def _unit(m: Message, field: bytes) -> str:
    code, text = _text(m, m.part(field, 1)), _text(m, m.part(field, 2))
    if _text(m, m.part(field, 3)) == "MDC":
        return ucum_of(code) or text
    return code or text


def _flag(m: Message, field: bytes) -> str:
    found = [flag for one in m.repetitions(field) if (flag := _text(m, m.part(one, 1)))]
    return next((flag for flag in found if flag != "N"), "")


def _place(m: Message, field: bytes) -> str:
    """Give what tells two sensors of one message apart: the channel of OBX-4, without the number of the metric."""
    parts = _text(m, field).split(".")
    return ".".join(parts[:3]) if len(parts) >= 4 else ""


def _text(m: Message, value: bytes) -> str:
    if value.isalnum() and value.isascii():
        return value.decode()
    text = m.text(value).reveal().strip() if value else ""
    return "" if text == _NULL else text
