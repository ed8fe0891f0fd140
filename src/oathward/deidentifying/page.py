"""The report of a job as one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from oathward.core.label_words import class_words
from oathward.core.meanings_files import of_file
from oathward.core.sizes import size
from oathward.deidentifying.apart import words_of

_BAR = 240


def page(told: Mapping[str, Any]) -> str:
    """Give the page of a report as ``report.figures`` gives it. It travels: what our own people can do about what was held, the command line says."""
    twice = words_of(told["authorities"])
    text: str = _template().render(
        told=told, meaning=of_file, words=class_words, bar=_bar, size=size, twice=twice
    )
    return text


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = (files("oathward.deidentifying") / "report.html").read_text("utf-8")
    return environment.from_string(text)


def _bar(count: int, of: int) -> int:
    return max(1, round(_BAR * count / of)) if count and of else 0
