"""Raw flows as daily Parquet segments: ``flows/YYYY-MM-DD/*.parquet`` in the data folder.

Rules:
- A segment is written to a part file, flushed to the disk, and renamed: there is no half segment. Its name says source and part, so that what
  is read again after a crash takes the place of what was written before it.
- Segments of a day are put together once their sources are read; ``together.json`` of a day says which are in which, and what it names is passed over,
  so that a crash in between loses nothing and counts nothing twice.
- They go by days (``[network] flow_days``). They hold addresses, names and counts, no payload; the folder is the owner's and group's alone.

Deliberately absent: totals (SQL), any key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from oathward.discovery.model import FLOW_COLUMNS
from oathward.discovery.totals import says_more

if TYPE_CHECKING:
    import polars as pl

FOLDER = "flows"
DAY_US = 86_400_000_000
TOGETHER = "together.json"
TOGETHER_MIN = 16
"""Segments of a day that are worth putting together."""

_NAME = re.compile(r"([0-9a-f-]{36})-([0-9]{16})\.parquet|together-[0-9a-f-]{36}\.parquet")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day_of(at_us: int) -> str:
    """Name the day of a time, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%d")


def put(data: Path, source: str, part: int, flows: pl.DataFrame) -> list[str]:
    """Write a group of flows, a segment for each day in which some began; gives the days.

    Args:
        data: the data folder. source, part: whose they are, and how many parts of it came before. flows: with ``FLOW_COLUMNS``.

    Raises:
        OSError: the disk is full, or fails; no segment is half.
    """
    import polars as pl

    keyed = flows.with_columns((pl.col("start_us") // DAY_US).alias("_day"))
    by_day = keyed.partition_by("_day", as_dict=True, include_key=False)
    written = []
    for (number,), rows in sorted(by_day.items()):
        day = day_of(int(number) * DAY_US)
        folder = data / FOLDER / day
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        written.append(day)
        _write(folder, f"{source}-{part:016d}.parquet", rows.select(*FLOW_COLUMNS).lazy())
    return written


def forget_behind(data: Path, source: str, part: int) -> int:
    """Remove what was written of a source from a part on: of groups whose totals were never committed."""
    gone = 0
    for path in (data / FOLDER).glob(f"*/{source}-*.parquet"):
        found = _NAME.fullmatch(path.name)
        if found and found[2] and int(found[2]) >= part:
            path.unlink()
            gone += 1
    return gone


def forget(data: Path, before_us: int) -> int:
    """Remove days that ended before a time; gives how many."""
    gone = 0
    for folder in sorted((data / FOLDER).glob("*-*-*")):
        if _DAY.fullmatch(folder.name) and folder.name < day_of(before_us):
            for path in sorted(folder.iterdir()):
                path.unlink()
            folder.rmdir()
            gone += 1
    return gone


def put_together(data: Path, day: str, name: str, read_to: Callable[[str], int]) -> bool:
    """Make one segment of a day's; says whether there were enough of them.

    Args:
        name: of what it is called, a random id. read_to: source -> how many of its parts were committed: what is behind that stays by itself.
    """
    import polars as pl

    folder = data / FOLDER / day
    single = [path for path in _valid(folder) if _committed(path.name, read_to)]
    if len(single) < TOGETHER_MIN:
        return False
    whole = f"together-{name}.parquet"
    said = _said(folder)
    _write(folder, whole, pl.scan_parquet(single))
    said[whole] = [path.name for path in single]
    _put_file(folder, TOGETHER, orjson.dumps(said))  # from here on the single ones are passed over
    _clear(folder)
    return True


def scan(data: Path, since_us: int, until_us: int) -> pl.LazyFrame:
    """Give the flows of days from one time until another, lazily; empty where there are none."""
    import polars as pl

    folders = sorted((data / FOLDER).glob("*-*-*")) if (data / FOLDER).is_dir() else []
    wanted = [one for one in folders if _DAY.fullmatch(one.name) and one.name >= day_of(max(since_us, 0))]
    end = day_of(min(until_us, 253_402_300_799_000_000))
    paths = [path for folder in wanted if folder.name <= end for path in _valid(folder)]
    if not paths:
        return pl.LazyFrame(schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})
    rows = pl.scan_parquet(paths)
    return rows.filter(pl.col("start_us") >= since_us, pl.col("start_us") < until_us)


def sessions(data: Path, day: int, rows_max: int) -> pl.DataFrame:
    """Give the rows of a day that say more of flows and count none; of more than ``rows_max`` the last.

    Args:
        day: days since 1970, UTC.
    """
    return scan(data, day * DAY_US, (day + 1) * DAY_US).filter(says_more()).tail(rows_max).collect()


def days(data: Path) -> list[str]:
    """List the days that have segments."""
    return sorted(one.name for one in (data / FOLDER).glob("*-*-*") if _DAY.fullmatch(one.name))


def _valid(folder: Path) -> list[Path]:
    """List the segments of a day that count: those put together, and those that are in none of these."""
    said = _said(folder)
    inside = {name for names in said.values() for name in names}
    found = [path for path in sorted(folder.glob("*.parquet")) if _NAME.fullmatch(path.name)]
    return [
        path
        for path in found
        if path.name not in inside and (not path.name.startswith("together-") or path.name in said)
    ]


def _committed(name: str, read_to: Callable[[str], int]) -> bool:
    found = _NAME.fullmatch(name)
    return found is not None and found[2] is not None and int(found[2]) < read_to(found[1])


def _clear(folder: Path) -> None:
    """Remove what is in a segment that was put together, and what a crash left."""
    counts = {path.name for path in _valid(folder)}
    for path in folder.iterdir():
        if path.name not in counts and path.suffix in {".parquet", ".part"}:
            path.unlink()
    said = _said(folder)
    if any(said.values()):
        _put_file(folder, TOGETHER, orjson.dumps(dict.fromkeys(said, ())))


def _said(folder: Path) -> dict[str, Sequence[str]]:
    try:
        said = orjson.loads((folder / TOGETHER).read_bytes())
    except FileNotFoundError:
        return {}
    assert isinstance(said, dict)  # our own file, renamed whole
    return said


def _write(folder: Path, name: str, rows: pl.LazyFrame) -> None:
    part = folder / f"{name}.part"
    rows.sink_parquet(part, compression="zstd", statistics=True, maintain_order=True)
    part.chmod(0o640)
    _flush(part)
    part.replace(folder / name)
    _flush(folder)


def _put_file(folder: Path, name: str, data: bytes) -> None:
    part = folder / f"{name}.part"
    part.write_bytes(data)
    _flush(part)
    part.replace(folder / name)
    _flush(folder)


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
