"""How many packets stand for one that an exporter counted: what it says of its samplers.

Rules:
- v5 says it in the head of each message; v9 and IPFIX in records of options, by sampler, or in the record of a flow itself.
- A flow that names no sampler is of the one that has no number; of a sampler that was never told nothing is scaled.
- What is scaled is an estimate: its rows have the source ``netflow.estimated``. Flows that came before their sampler was told stay as counted.
- A claim beyond ``ONE_IN_MAX`` is refused; exporters and samplers are bounded, those told longest ago give way.

Deliberately absent: sampling by chance given as a fraction, by hash or filter (PSAMP, elements 311 and 326 on): nothing is scaled there.

Source: NetFlow v5 (Cisco, head, bytes 22 and 23: two bits of mode, 14 of interval; exporters set the interval without a mode), RFC 3954 §8
(elements 34, 48, 50), RFC 5477 §8 (302, 305, 306, 309, 310).
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.core.reasons import Reason
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.halves import Half
from oathward.discovery.logs.templates import Domain
from oathward.discovery.totals import COUNT_MAX

ONE_IN_MAX = 1_000_000
SAMPLERS_MAX = 4_096
_V5_INTERVAL = 0x3FFF
_NO_NUMBER = 0

_Said = Mapping[str, int | bytes]


class Samplers:
    """What exporters said of their samplers: one in how many packets each takes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Domain, int], int] = {}

    def take(self, domain: Domain, said: _Said, gathered: Gathered) -> None:
        """Take a record of options; one that says nothing of a sampler is read over."""
        one_in = _one_in(said)
        if one_in == 0:
            return
        if one_in > ONE_IN_MAX:
            gathered.refuse(Reason.OBSERVED_BROKEN, "sampler")
            return
        key = domain, _number(said)
        self._known.pop(key, None)
        self._known[key] = one_in
        if len(self._known) > SAMPLERS_MAX:
            del self._known[next(iter(self._known))]

    def one_in(self, domain: Domain, said: _Said) -> int:
        """Give one in how many packets was counted for a flow; 1 where nobody said so."""
        own = _one_in(said)
        if 0 < own <= ONE_IN_MAX:
            return own
        return self._known.get((domain, _number(said)), 1)


def _number(said: _Said) -> int:
    number = said.get("sampler", _NO_NUMBER)
    return number if isinstance(number, int) else _NO_NUMBER


def _one_in(said: _Said) -> int:
    """Read one in how many is taken; 0 where a record does not say it."""
    whole, taken, passed, of = (
        value if isinstance(value := said.get(name), int) else 0
        for name in ("one_in", "sample_taken", "sample_passed", "sample_of")
    )
    if whole:
        return whole
    if taken and (passed or of):
        return max(1, round((taken + passed if passed else of) / taken))
    return 0


def one_in_v5(head: bytes) -> int:
    """Read the interval from the head of a message of v5; 1 where it says none."""
    return max(1, int.from_bytes(head[22:24]) & _V5_INTERVAL)


def scaled(half: Half, one_in: int) -> Half:
    """Scale what a half counted, and mark it as an estimate; as it is where every packet was counted."""
    if one_in > 1:
        half.bytes, half.packets = (min(count * one_in, COUNT_MAX) for count in (half.bytes, half.packets))
        if half.back_bytes is not None:
            half.back_bytes = min(half.back_bytes * one_in, COUNT_MAX)
        if half.back_packets is not None:
            half.back_packets = min(half.back_packets * one_in, COUNT_MAX)
        half.estimated = True
    return half
