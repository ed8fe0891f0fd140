"""By which name servers were asked for, out of the flows of the last days.

Rules:
- Of several names the last one counts.
- A day is read once and remembered until its files change: ten million flows take a second, and a page has less.
- At most ``NAMES_MAX`` names of a day, and the days of ``DAYS_MAX`` folders and days, are remembered.
"""

from __future__ import annotations

from pathlib import Path

from oathward.network import segments

NAMES_MAX = 100_000
NAMED_DAYS = 7
DAYS_MAX = 64
_DAY_US = segments.DAY_US

Names = dict[tuple[str, str, int], str]
_Files = tuple[tuple[str, int, int], ...]
_kept: dict[tuple[str, str], tuple[_Files, Names]] = {}


def server_names(data: Path, last_us: int) -> Names:
    """Give the name by which a server was last asked for: (realm, address, port) -> name.

    Args:
        data: the data folder. last_us: the end of the days that are looked at.
    """
    found: Names = {}
    last = last_us // _DAY_US
    for number in range(last - NAMED_DAYS, last + 1):
        if number >= 0:
            found |= _of_day(data, number * _DAY_US)
    return found


def _of_day(data: Path, begins_us: int) -> Names:
    import polars as pl

    key = (str(data), segments.day_of(begins_us))
    files = _files(data / segments.FOLDER / key[1])
    if not files:
        return {}
    kept = _kept.get(key)
    if kept is not None and kept[0] == files:
        return kept[1]
    flows = segments.scan(data, begins_us, begins_us + _DAY_US - 1).filter(pl.col("server_name") != "")
    last = pl.col("server_name").get(pl.col("start_us").arg_max())
    rows = flows.group_by("realm", "server", "port").agg(last).limit(NAMES_MAX).collect()
    names = {(realm, server, port): name for realm, server, port, name in rows.iter_rows()}
    if len(_kept) >= DAYS_MAX:
        _kept.clear()
    _kept[key] = (files, names)
    return names


def _files(folder: Path) -> _Files:
    """Say what tells that a day's files are others now: their names, sizes and times."""
    found = []
    for path in folder.glob("*"):
        try:
            state = path.stat()
        except FileNotFoundError:  # it was put together with others just now
            continue
        found.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(sorted(found))
