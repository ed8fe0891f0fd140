"""A capture read whole, for tests: its flows as rows, its statements, what stood in clear, what was refused."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any, NamedTuple

from oathward.discovery.model import Around, Clear, Statement
from oathward.discovery.observers.pcap import OBSERVER


class Whole(NamedTuple):
    """All parts of what was seen, together."""

    flows: list[dict[str, Any]]
    statements: list[Statement]
    clear: list[Clear]
    refused: Counter[tuple[str, str]]

    @property
    def services(self) -> list[str]:
        return sorted(flow["service"] for flow in self.flows)

    def marks(self, source: str) -> set[tuple[str, str]]:
        return {(mark.kind.value, mark.value) for one in self.of(source) for mark in one.marks}

    def facts(self, source: str) -> set[tuple[str, str]]:
        return {(fact.attribute, fact.value) for one in self.of(source) for fact in one.facts}

    def of(self, source: str) -> list[Statement]:
        return [one for one in self.statements if one.source == source]


def whole(data: bytes, **around: Any) -> Whole:
    """Read a capture as the observer does."""
    found = Whole([], [], [], Counter())
    for seen in OBSERVER.read(io.BytesIO(data), Around(realm="a-site", **around)):
        found.flows.extend([] if seen.flows is None else seen.flows.to_dicts())
        found.statements.extend(seen.statements)
        found.clear.extend(seen.clear)
        found.refused.update({(reason.code, place): count for (reason, place), count in seen.refused.items()})
    return found
