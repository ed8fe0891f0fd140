"""Rules of firewalls and switches by the API: which are kept, and how they compare with the flows that were seen and with what is declared.

Rules:
- A comparison is what was last told of it as findings (``mapping.ruling``): who may not see findings has none.
- Nothing here reads a rule or compares anew: ``oathward rules compare`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.finding import State
from oathward.core.reasons import Reason
from oathward.findings import views as findings
from oathward.findings.model import Filters
from oathward.mapping import ruling
from oathward.network import views
from oathward.web import finding_acts as acts
from oathward.web.api.findings import FindingOut, plain
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from oathward.network.model import RulesetRow
    from oathward.web.view import View

KINDS = ("rule.unused", "rule.wider-than-flow", "rule.forbids-flow", "flow.undeclared")
"""Of findings that a comparison tells."""


@dataclass(frozen=True, slots=True)
class RulesetOut:
    """Rules of one firewall or switch as they were imported. `by`: a person's id; `realm`: of its addresses, empty for all; `interfaces`: network -> the interface it stands behind; `findings`: kind -> how many are open, null for who may not see findings."""

    name: str
    rules: int
    realm: str
    interfaces: dict[str, str]
    sha256: str
    imported: datetime
    by: str
    findings: dict[str, int] | None


def listed(view: View) -> Response:
    """List firewalls and switches whose rules are kept, by name."""
    after = view.asks.get("after", "")
    with read(view.site.engine) as db:
        rows = [one for one in views.rulesets(db, view.site.site) if one.name > after]
        counts = findings.by_source(db, view.site.site, view.now_us) if view.may("findings.see") else None
    some = rows[: view.limit]
    return view.listed(
        [_plain(view, one, counts) for one in some], some[-1].name if len(rows) > len(some) else ""
    )


def one(view: View) -> Response:
    """Give one of them."""
    row = _row(view)
    with read(view.site.engine) as db:
        counts = findings.by_source(db, view.site.site, view.now_us) if view.may("findings.see") else None
    return view.json(_plain(view, row, counts))


def comparison(view: View) -> Response:
    """List what came of comparing rules with flows: rules nobody uses, rules wider than their flows, flows they forbid; the gravest first."""
    if not view.may("findings.see"):
        raise _absent()
    wanted = Filters(
        state=view.asks.get("state", State.OPEN.value),
        kind=view.asks.get("kind", ""),
        source=ruling.source_of(_row(view).name),
    )
    after = view.asks.get("after", "")
    with read(view.site.engine) as db:
        found = findings.listed(db, view.site.site, wanted, view.now_us, after=after, limit=view.limit)
    return view.listed([plain(view, row) for row in found.rows], found.after)


def _row(view: View) -> RulesetRow:
    with read(view.site.engine) as db:
        found = views.rulesets(db, view.site.site, view.part("ruleset"))
    if not found:
        raise _absent()
    return found[0]


def _absent() -> InputError:
    return InputError("ruleset", "no rules of this name were imported", reason=Reason.NOT_FOUND)


def _plain(view: View, row: RulesetRow, counts: Mapping[str, Mapping[str, int]] | None) -> RulesetOut:
    told = None if counts is None else dict(counts.get(ruling.source_of(row.name), {}))
    return RulesetOut(
        *(row.name, row.rules, row.realm, dict(row.interfaces), row.sha256),
        *(from_micros(row.at_us), acts.owner_id(view, row.by), told),
    )


_HERE = "/api/v1/rules"

API = (
    Route(_HERE, listed, action="network.see", api=True, call=Call(gives=RulesetOut, listed=True, asks=PAGED)),
    Route(
        f"{_HERE}/{{ruleset}}", one, action="network.see", thing=named("area"), api=True, call=Call(gives=RulesetOut)
    ),
    Route(
        f"{_HERE}/{{ruleset}}/comparison", comparison, action="network.see", thing=named("area"), api=True,
        call=Call(
            gives=FindingOut, listed=True,
            asks={
                **PAGED,
                "kind": Query("only of this kind", KINDS),
                "state": Query("`open` without it", tuple(state.value for state in State)),
            },
        ),
    ),
)  # fmt: skip
