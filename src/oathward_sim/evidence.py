"""What a leak was seen in, kept so that it can be explained afterwards.

Rules:
- It holds values of the simulator's made-up patients, so it is written to files of its owner's and printed nowhere.
- The first ``KEPT_MAX`` leaks are kept whole: what a run without end finds later is counted alone.

Deliberately absent: a judgement (``judge``) and the search itself (``traces``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oathward_sim.plan import Sent
from oathward_sim.recipients import Kept
from oathward_sim.traces import Index, Trace

KEPT_MAX = 20
_TEXT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """One delivery with a leak in it.

    Args:
        whats: what was found, in words.
        came: as it came off the wire. data: as the recipient reads it. wire: what anybody can read of it.
        seen: traces with the text they were seen in, of ``data`` and of ``wire``.
        sent: what its source sent, as far as it is still there.
    """

    recipient: str
    message: str
    outgoing_id: str
    at_s: float
    whats: Sequence[str]
    came: bytes
    data: bytes
    wire: bytes
    seen: Sequence[tuple[Trace, str]]
    sent: Sequence[bytes]


def gather(
    index: Index,
    kept: Kept,
    found: tuple[str, str, Sequence[str]],
    data: bytes,
    wire: bytes,
    sources: Iterable[Sent],
) -> Evidence:
    """Put together what a leak was seen in.

    Args:
        found: recipient, control id of the source message, and what was found.
    """
    seen = [
        (trace, f"{where}: {text[:_TEXT_MAX]}")
        for where, looked_at in (("data", data), ("wire", wire))
        for trace, text in index.explain(looked_at)
    ]
    sent = [source.plan.data for source in sources]
    return Evidence(found[0], found[1], kept.id, kept.at_s, found[2], kept.data, data, wire, seen, sent)


def write(folder: Path, evidence: Iterable[Evidence]) -> list[Path]:
    """Write each to a JSON file of its own, for the owner alone; gives the files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = []
    for number, one in enumerate(evidence, 1):
        file = folder / f"{number:02d}-{one.recipient}-{one.message or 'unknown'}.json"
        file.touch(0o600)
        file.write_text(json.dumps(_as_json(one), indent=2, ensure_ascii=False) + "\n")
        files.append(file)
    return files


def _as_json(one: Evidence) -> dict[str, object]:
    return {
        "recipient": one.recipient,
        "message": one.message,
        "outgoing_id": one.outgoing_id,
        "arrived_s": one.at_s,
        "found": list(one.whats),
        "seen": [
            {"kind": trace.kind, "form": trace.form, "owners": sorted(trace.owners), "text": text}
            for trace, text in one.seen
        ],
        "came_base64": _base64(one.came),
        "data_base64": _base64(one.data),
        "wire_base64": _base64(one.wire),
        "sent_base64": [_base64(data) for data in one.sent],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
