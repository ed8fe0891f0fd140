"""Health, by the API: the same lines as the console's first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.web import standing
from oathward.web.calls import Call
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class LineOut:
    """One thing and how it is; `level`: `ok`, `note` (somebody should know) or `bad` (somebody must act)."""

    level: str
    about: str
    what: str


@dataclass(frozen=True, slots=True)
class HealthOut:
    """Is anything wrong; `level` is the gravest of the lines."""

    level: str
    lines: list[LineOut]


def health(view: View) -> Response:
    """Say whether anything is wrong."""
    found = standing.standing(view.site, view.now)
    level = "bad" if found.bad else "note" if found.notes else "ok"
    return view.json(HealthOut(level, [LineOut(one.level, one.about, one.what) for one in found.lines]))


API = (Route("/api/v1/health", health, action="health.see", api=True, call=Call(gives=HealthOut)),)
