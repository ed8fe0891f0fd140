"""Every value of a message with its place and its class, for pages that show made-up messages element by element.

Deliberately absent: real messages. What stands in one is ``Phi``; whoever calls this has made the message up.
"""

from __future__ import annotations

from oathward.protocols.hl7v2 import shapes
from oathward.protocols.hl7v2.reader import Message

Leaves = dict[str, tuple[str, str]]
"""Place inside its segment (``-5.1``) -> element class, value as text."""


def leaves(message: Message) -> list[tuple[str, Leaves]]:
    """Give the name and the values of each segment, in order."""
    found = []
    for segment, known in zip(message.segments, shapes.shapes(message), strict=True):
        fields = message.fields(segment)
        inside: Leaves = {}
        for one in known.fields:
            for leaf in one.leaves:
                value = _value(message, fields[one.n], leaf)
                if value:
                    inside[f"-{one.n}{_inner(leaf)}"] = (leaf.cls, value)
        found.append((known.name, inside))
    return found


def _inner(leaf: shapes.Leaf) -> str:
    repetition = f"[{leaf.repetition + 1}]" if leaf.repetition > 0 else ""
    parts = [str(n + 1) for n in (leaf.component, leaf.subcomponent) if n != shapes.ALL]
    return repetition + "".join(f".{part}" for part in parts)


def _value(message: Message, raw: bytes, leaf: shapes.Leaf) -> str:
    if leaf.repetition != shapes.ALL:
        pieces = message.repetitions(raw)
        raw = pieces[leaf.repetition] if leaf.repetition < len(pieces) else b""
    if leaf.component != shapes.ALL:
        sub = 0 if leaf.subcomponent == shapes.ALL else leaf.subcomponent + 1
        raw = message.part(raw, leaf.component + 1, sub)
    return message.text(raw).reveal()
