"""What is said of a copy's age and of one patient in it: on the terminal and on the pages the same."""

from __future__ import annotations

from oathward.bedside.picture import Row
from oathward.core.clock import from_micros, iso
from oathward.vault.emergency.copies import Manifest, Section

POINTS_SHOWN = 12
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_STATES = {
    "proved": "proved good {age} ago",
    "kept": "OLD: what came since did not prove; this is what was proved {age} ago",
    "partly": "INCOMPLETE: what did not prove is left out; the rest was proved {age} ago",
    "missing": "NOTHING PROVED: what is kept of this patient is not what the records say",
}


def at(at_us: int) -> str:
    """Write a time to the second, in UTC."""
    return iso(from_micros(at_us))[:19].replace("T", " ") + " UTC"


def age(since_us: int, now_us: int) -> str:
    """Write how long ago something was; a time ahead of this machine's clock is said to be that."""
    seconds = (now_us - since_us) // 1_000_000
    if seconds < -_MINUTE_S:
        return "a time ahead of this machine's clock (one of the two is wrong)"
    if seconds < 2 * _MINUTE_S:
        return f"{max(0, seconds)} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _DAY_S} days"


def banner(manifest: Manifest, now_us: int) -> str:
    """Say how old a copy is and who vouches for it."""
    seen = (
        f"a witness saw its ledger at {at(manifest.witnessed_s * 1_000_000)}"
        if manifest.witnessed_s
        else "not independently witnessed"
    )
    return f"Made {age(manifest.made_us, now_us)} ago, at {at(manifest.made_us)}; {seen}."


def state(section: Section, now_us: int) -> str:
    """Say how far what is shown of a patient was proved."""
    return _STATES.get(section.state, section.state).format(age=age(section.proved_us, now_us))


def points(row: Row) -> str:
    """Write the last numbers of a trend, oldest first."""
    return " ".join(f"{value:g}" for _, value in row.points[-POINTS_SHOWN - 1 : -1])
