"""The report of a job as one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from oathward.core.meanings import MEANINGS
from oathward.core.reasons import BY_CODE

_BAR = 240
_UNITS = ("B", "kB", "MB", "GB", "TB")


def page(told: Mapping[str, Any]) -> str:
    """Give the page of a report as ``report.figures`` gives it."""
    text: str = _template().render(told=told, meaning=_meaning, bar=_bar, size=_size)
    return text


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = (files("oathward.deidentifying") / "report.html").read_text("utf-8")
    return environment.from_string(text)


def _meaning(code: str) -> str:
    return MEANINGS[BY_CODE[code]].what


def _bar(count: int, of: int) -> int:
    return max(1, round(_BAR * count / of)) if count and of else 0


def _size(count: int) -> str:
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:  # noqa: B007  the unit it stopped at is what is said
        if value < 1_000:
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
