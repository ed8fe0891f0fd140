"""Cut a result message about several patients into one message a patient.

Rules:
- Only result messages whose structure repeats the patient group (ORU, R40 alarms as ORU): each part is the
  header segments and one group that begins with its PID. Other messages are given back as they are.
- What stands before the first PID and is not header is a part of its own, without patient.
- Nothing is lost or repeated but the header; the message control id stays the same in every part.

Deliberately absent: ADT with two patients (A17, A24, A37, A40): they mean something only together.

Source: HL7 v2.8.2 §7.3.1 (ORU^R01: PATIENT_RESULT repeats); IHE PCD TF-2 §3.4 (ORU^R40).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.protocols.hl7v2.reader import joined

if TYPE_CHECKING:
    from oathward.protocols.hl7v2.reader import Message

SPLITTABLE = frozenset(("ORU", "OUL", "ORA"))
PARTS_MAX = 1_000
_HEADER = frozenset((b"MSH", b"SFT", b"UAC", b"ARV"))


def split(message: Message) -> list[bytes]:
    """Give one message per PID group, in order; ``[raw]`` where there is nothing to split.

    The parts are the reader's view (terminators are CR); up to ``PARTS_MAX``, beyond that ``[raw]``.
    """
    segments = message.segments
    names = [message.name(i) for i in range(len(segments))]
    starts = [i for i, name in enumerate(names) if name == b"PID"]
    if message.code not in SPLITTABLE or not 2 <= len(starts) <= PARTS_MAX:
        return [message.raw]
    header_end = next(i for i, name in enumerate(names) if name not in _HEADER)
    header = segments[:header_end]
    if header_end < starts[0]:
        starts.insert(0, header_end)
    return [
        joined([*header, *segments[a:b]]) for a, b in zip(starts, [*starts[1:], len(segments)], strict=True)
    ]
