"""What an observer makes of bytes, gathered for tests."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import polars as pl

from oathward.core.reasons import Reason
from oathward.discovery.model import FLOW_COLUMNS, Around, Statement
from oathward.discovery.observer import Observer

SCHEMA = {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}


class Observed:
    """All parts of a source together; each frame has the columns it must have."""

    def __init__(self, observer: Observer, data: bytes, name: str = "", **around: Any) -> None:
        self.statements: list[Statement] = []
        self.refused: Counter[tuple[Reason, str]] = Counter()
        self.offset = 0
        frames = [pl.DataFrame(schema=SCHEMA)]
        for seen in observer.read(
            io.BytesIO(data), Around(realm=around.pop("realm", "r"), name=name, **around)
        ):
            self.statements += seen.statements
            self.refused += seen.refused
            self.offset = seen.offset
            if seen.flows is not None:
                assert dict(seen.flows.schema) == SCHEMA
                frames.append(seen.flows)
        self.flows = pl.concat(frames)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        return self.flows.select(columns).rows()

    def said(self) -> list[tuple[str, dict[str, str], dict[str, str]]]:
        """Source, marks and facts of each statement."""
        return [
            (
                one.source,
                {m.kind.value: m.value for m in one.marks},
                {f.attribute: f.value for f in one.facts},
            )
            for one in self.statements
        ]
