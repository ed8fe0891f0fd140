"""Parts of what was seen, as a run takes them: when they are of, whether they say anything, how many make a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oathward.discovery.model import Seen, Statement

if TYPE_CHECKING:
    import polars as pl

GROUP_FLOWS = 50_000
GROUP_STATEMENTS = 10_000
SINCE_US = 946_684_800_000_000
"""The year 2000: a sensor that lost its clock begins in 1970."""


def says_something(seen: Seen, offset: int) -> bool:
    """Say whether a part tells anything that was not known before: something in it, or that the source was read further."""
    return (
        bool(seen.statements or seen.flows is not None or seen.clear or seen.refused) or seen.offset > offset
    )


def leave_out(seen: Seen, until_us: int) -> int:
    """Leave out of a part what is before ``SINCE_US`` or later than a time; gives how many statements and flows those were. A flow ends then at the latest."""
    import polars as pl

    statements = [one for one in seen.statements if SINCE_US <= one.at_us <= until_us]
    late = len(seen.statements) - len(statements)
    seen.statements = statements
    seen.clear = [one for one in seen.clear if SINCE_US <= one.at_us <= until_us]
    if seen.flows is not None:
        timely = seen.flows.filter(pl.col("start_us").is_between(SINCE_US, until_us))
        late += seen.flows.height - timely.height
        seen.flows = timely.with_columns(pl.col("end_us").clip(upper_bound=until_us))
    return late


def is_full(group: Sequence[Seen]) -> bool:
    """Say whether a group is large enough to be stored."""
    flows = sum(one.flows.height for one in group if one.flows is not None)
    return flows >= GROUP_FLOWS or sum(len(one.statements) for one in group) >= GROUP_STATEMENTS


def span(flows: pl.DataFrame | None, statements: Sequence[Statement]) -> tuple[int, int]:
    """Give the first and the last time of a group; 0 where it has none."""
    times = [one.at_us for one in statements]
    if flows is not None and flows.height:
        times += [flows["start_us"].min(), flows["start_us"].max()]  # type: ignore[list-item]  # integers, by the columns' types
    return (min(times), max(times)) if times else (0, 0)
