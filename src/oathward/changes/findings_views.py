"""Read findings of a policy review for people: words, how they stand, and the proposal that would remove each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from oathward.changes import findings_sql as sql
from oathward.changes.findings_model import FindingRow, FindingState
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.review_findings import GRAVE, NOBODY, RULES, Proposal, ReviewFinding, marked, with_names


class OpenFindings(NamedTuple):
    """How many findings somebody must answer for; ``grave`` of them are of ``review_findings.GRAVE``."""

    total: int
    grave: int


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding as people read it. ``overdue``: signed off until a date that has passed; ``about``: what it is about, as shown.

    ``called``: of what is about people, who they are; empty before ``named``, and for what is about something else.
    """

    row: FindingRow
    title: str
    words: str
    proposal: Proposal | None
    overdue: bool
    about: str
    called: str = ""

    @property
    def people(self) -> frozenset[str]:
        """Whom it names, by id."""
        return marked(self.words) | frozenset(self._subjects)

    @property
    def person(self) -> str:
        """The one person it is about, by id; empty where it is about several, or something else."""
        return self._subjects[0] if len(self._subjects) == 1 else ""

    @property
    def _subjects(self) -> tuple[str, ...]:
        kind, _, about = self.row.about.partition(":")
        if kind not in {"person", "people"} or self.row.rule == "roles.few":
            return ()
        return tuple(about.partition("/")[0].split(","))

    def named(self, names: Mapping[str, str] | None) -> FindingView:
        """Give it with names; with neither names nor ids where there are no names, for who may not see people."""
        if not self._subjects:
            return replace(self, words=with_names(self.words, names))
        if names is None:
            kind, _, about = self.row.about.partition(":")
            hidden = f"{kind}:{NOBODY}{''.join(about.partition('/')[1:])}"
            return replace(self, words=with_names(self.words, None), about=hidden, called=NOBODY)
        known = all(id_ in names for id_ in self._subjects)
        called = " and ".join(names[id_] for id_ in self._subjects) if known else ""
        return replace(self, words=with_names(self.words, names), called=called)

    @property
    def open(self) -> bool:
        """Whether somebody must answer for it."""
        return self.row.state is FindingState.OPEN or self.overdue


def row_of(found: ReviewFinding, bundle: str, now_us: int) -> FindingRow:
    """Write what a review found as a row."""
    body: dict[str, Any] = {"by": found.by, "words": found.words, "proposal": None}
    if found.proposal is not None:
        files = {path: None if text is None else text.decode() for path, text in found.proposal.files.items()}
        body["proposal"] = {"words": found.proposal.words, "files": files}
    return FindingRow(
        id=found.id,
        rule=found.rule,
        about=found.about,
        first_us=now_us,
        last_us=now_us,
        state=FindingState.OPEN,
        body=orjson.dumps(body, option=orjson.OPT_SORT_KEYS),
        bundle=bundle,
    )


def findings(
    db: Connection, site: str, now_us: int, states: Collection[FindingState] = ()
) -> list[FindingView]:
    """List findings in these states, or all, in the order of the rules."""
    order = {rule: place for place, rule in enumerate(RULES)}
    views = [_view(row, now_us) for row in sql.rows(db, site, states)]
    return sorted(views, key=lambda view: (order.get(view.row.rule, len(order)), view.row.about))


def one(db: Connection, site: str, id_: str, now_us: int) -> FindingView:
    """Show one finding.

    Raises:
        InputError: ``not-found``.
    """
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("finding", "there is no such finding", reason=Reason.NOT_FOUND)
    return _view(row, now_us)


def counts(db: Connection, site: str) -> Mapping[str, int]:
    """Count findings by state."""
    return sql.counts(db, site)


def waiting(db: Connection, site: str, now_us: int) -> OpenFindings:
    """Count what is open, or was signed off until a date that has passed."""
    found = sql.open_counts(db, site, now_us)
    return OpenFindings(sum(found.values()), sum(found.get(rule, 0) for rule in GRAVE))


def _view(row: FindingRow, now_us: int) -> FindingView:
    body = orjson.loads(row.body)
    proposal = body["proposal"]
    if proposal is not None:
        files = {path: None if text is None else text.encode() for path, text in proposal["files"].items()}
        proposal = Proposal(proposal["words"], files)
    overdue = row.state is FindingState.SIGNED_OFF and row.until_us <= now_us
    return FindingView(row, RULES.get(row.rule, row.rule), body["words"], proposal, overdue, row.about)
