"""Health: each part with the last thing it did, links and their backlog, disk, keys, clocks, ledger and witness."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import ledger
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.process import SUPERVISOR
from oathward.ledger import Query
from oathward.web import link_standing, standing
from oathward.web.page import Page, Route
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.vault.opened import Opened
    from oathward.web.standing import Standing

LAST = {"courier": "message.delivered", "keeper": "authority.signed"}
"""Role -> the kind of record that says it did something; the gateway's is the last message."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process as Health shows it."""

    role: str
    does: str
    level: str
    word: str
    why: str
    last_us: int
    last_what: str
    started_us: int
    said_us: int
    restarts: int
    hangs: int
    counts: dict[str, int]
    ports: dict[str, int]


def show(view: View) -> Response:
    """Show everything that can be seen from outside."""
    site = view.site
    found = standing.standing(site, view.now)
    usage = shutil.disk_usage(site.settings.data)
    metrics = site.settings.metrics
    port = (found.parts.get("app", {}).get("ports") or {}).get("metrics")
    return view.page(
        "health.html",
        clock_sure=site.clock.sure(),
        data=str(site.settings.data),
        found=found,
        links=link_standing.links(found),
        metrics=f"http://{metrics.host}:{port}/metrics" if port else "",
        parts=_parts(site, found),
        settings=site.settings,
        usage=usage,
    )


def _parts(site: Opened, found: Standing) -> list[Part]:
    last = _last(site, found)
    supervisor = found.parts.get(SUPERVISOR, {})
    parts = []
    for role, does in standing.parts_of(site).items():
        status = found.parts.get(role)
        level, word = standing.level_of(status)
        said = status or {}
        at_us, what = last.get(role, (0, ""))
        parts.append(
            Part(
                *(role, does, level, word, str(said.get("trouble") or said.get("reason") or "")),
                *(
                    at_us,
                    what,
                    int(float(said.get("started_s", 0)) * 1e6),
                    int(float(said.get("at_s", 0)) * 1e6),
                ),
                int((supervisor.get("restarts") or {}).get(role, 0)),
                int((supervisor.get("hangs") or {}).get(role, 0)),
                {str(k): int(v) for k, v in (said.get("counts") or {}).items()},
                {str(k): int(v) for k, v in (said.get("ports") or {}).items()},
            )
        )
    return parts


def _last(site: Opened, found: Standing) -> dict[str, tuple[int, str]]:
    """Find the last thing each part did: that it runs says less."""
    last: dict[str, tuple[int, str]] = {}
    if found.latest is not None:
        last["gateway"] = (
            found.latest.received_us,
            "took what is no message" if found.latest.type == "?" else f"took {found.latest.type}",
        )
    with read(site.engine) as db:
        for role, kind in LAST.items():
            for entry in ledger.search(db, site.site, Query(kind=kind), limit=1):
                last[role] = (entry.at_us, "delivered" if role == "courier" else "signed documents")
        if found.signed:  # a checkpoint bears no time; the newest record under it does
            newest = ledger.entry(db, site.site, found.signed - 1)
            if newest.at_us > last.get("keeper", (0, ""))[0]:
                last["keeper"] = (newest.at_us, f"signed a checkpoint of {found.signed:,} records")
    house_s = float(found.parts.get("app", {}).get("house_s") or 0)
    if house_s:
        last["app"] = (int(house_s * 1e6), "kept house")
    return {role: (at_us, what) for role, (at_us, what) in last.items() if from_micros(at_us).year > 1970}


PAGE = Page("Health", (Route("/health", show, action="health.see"),), group="Watch", key="w", order=0)
