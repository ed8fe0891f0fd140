"""Review of policies about links: which never fire, contradict, shadow each other, or are past their date.

Rules:
- Compared over all requests that could come (``review_requests``), link by link; nothing is guessed from texts.
- *Never fires*: on no link it reaches is there a request it matches; or none of the words that are declared or were seen.
- *Contradicts*: a permit of whose every request some forbid says no, on every link it reaches.
- *Shadowed*: another of the same effect matches all that it matches, on all its links, and tells all whom it tells;
  of two that are the same, the later one.
- *Past its date*: every date its ``@why`` names has passed.

Deliberately absent: what people may do (``access``), and links as a table (``review_links``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oathward.policy.bundle import Bundle
from oathward.policy.model import Link
from oathward.policy.review_edits import Files, without_policies
from oathward.policy.review_findings import Proposal, ReviewFinding
from oathward.policy.review_requests import Known, Matchers, UnknownError, requests
from oathward.policy.statements import Statement

_DATE = re.compile(r"\b(20\d\d-[01]\d-[0-3]\d)\b")


@dataclass(frozen=True)
class Policies:
    """The policies of a bundle, ready to be compared. ``today``: ``2026-11-22``."""

    bundle: Bundle
    files: Files
    known: Known
    matchers: Matchers
    today: str
    _links: dict[str, list[Link]] = field(default_factory=dict)

    def links_of(self, one: Statement) -> list[Link]:
        """The links a policy can reach."""
        found = self._links.get(one.id)
        if found is None:
            links = self.bundle.links.values()
            found = [link for link in links if one.reaches("Disclose", link.id, link.recipient)]
            self._links[one.id] = found
        return found

    def reaching(self, link: Link, *, permits: bool) -> list[Statement]:
        """The policies of one effect that can reach a link."""
        policies = self.bundle.policies
        return [
            p for p in policies if p.permits == permits and p.reaches("Disclose", link.id, link.recipient)
        ]


def findings(of: Policies) -> Iterator[ReviewFinding]:
    """Review every policy; one that never fires is not compared with others."""
    dead: set[str] = set()
    for one in of.bundle.policies:
        if past := _past_date(of, one):
            yield past
        if not _discloses(one):
            continue
        try:
            why = _never_fires(of, one)
        except UnknownError as error:
            yield ReviewFinding(
                "policy.unknown", f"policy:{one.id}", f"{one.id}: {error.args[0]}; read it yourself"
            )
            dead.add(one.id)
            continue
        if why:
            dead.add(one.id)
            yield _gone(of, "policy.never-fires", one, f"{one.id} {why}")
    alive = [one for one in of.bundle.policies if one.id not in dead and _discloses(one)]
    for one in alive:
        if one.permits and (names := _contradicted(of, one)):
            words = f"{one.id} permits nothing: {' and '.join(names)} forbids all of it"
            yield _gone(of, "policy.contradicts", one, words)
    for place, one in enumerate(alive):
        other = next(
            (o for n, o in enumerate(alive) if n != place and _shadows(of, o, one, earlier=n < place)), None
        )
        if other is not None:
            words = f"{one.id} says nothing that {other.id} does not say already"
            yield _gone(of, "policy.shadowed", one, words)


def _gone(of: Policies, rule: str, one: Statement, words: str) -> ReviewFinding:
    proposal = Proposal(
        f"take {one.id} out of {one.where.rpartition(':')[0]}", without_policies(of.files, [one])
    )
    return ReviewFinding(rule, f"policy:{one.id}", words, proposal)


def _discloses(one: Statement) -> bool:
    """Whether it can be about what leaves on links; what people do is not reviewed here."""
    scope = one.tree["action"]
    names = str(scope)
    return scope["op"] == "All" or "Disclose" in names


def _past_date(of: Policies, one: Statement) -> ReviewFinding | None:
    dates = _DATE.findall(one.why)
    if not dates or max(dates) >= of.today:
        return None
    what = "permits" if one.permits else "forbids"
    return _gone(of, "policy.past-date", one, f"{one.id} still {what}; its own words name {max(dates)}")


def _never_fires(of: Policies, one: Statement) -> str:
    """Say why a policy can never fire; empty where it can.

    Raises:
        UnknownError: it cannot be tried.
    """
    links = of.links_of(one)
    if not links:
        return "reaches no link"
    try:
        if not any(_matches_some(of, one, link, None) for link in links):
            return "asks for what no request can have"
    except UnknownError:
        if not (of.known.kinds and of.known.types):
            raise  # else patterns meet only words that are known
    if not any(_matches_some(of, one, link, of.known) for link in links):
        return "asks for a device, kind, tag or message type that is not declared and never came"
    return ""


def _matches_some(of: Policies, one: Statement, link: Link, known: Known | None) -> bool:
    matcher = of.matchers.of(one, link)
    return any(matcher.matches(request) for request in requests([matcher], known))


def _contradicted(of: Policies, one: Statement) -> list[str]:
    """Name the forbids that together say no to all that a permit permits; none where something is left."""
    named: dict[str, None] = {}
    for link in of.links_of(one):
        matcher = of.matchers.of(one, link)
        forbids = [of.matchers.of(other, link) for other in of.reaching(link, permits=False)]
        try:
            for request in requests([matcher, *forbids]):
                if matcher.matches(request):
                    no = next((f for f in forbids if f.matches(request)), None)
                    if no is None:
                        return []
                    named[no.statement.id] = None
        except UnknownError:
            return []
    return list(named)


def _shadows(of: Policies, other: Statement, one: Statement, *, earlier: bool) -> bool:
    """Whether another policy implies one; of two that are the same, the earlier does."""
    if other.permits != one.permits or not set(one.notify) <= set(other.notify):
        return False
    links, more = of.links_of(one), of.links_of(other)
    if not set(map(_id, links)) <= set(map(_id, more)):
        return False
    same = len(links) == len(more) and one.notify == other.notify
    for link in links:
        a, b = of.matchers.of(one, link), of.matchers.of(other, link)
        try:
            for request in requests([a, b]):
                matched, implied = a.matches(request), b.matches(request)
                if matched and not implied:
                    return False
                same = same and matched == implied
        except UnknownError:
            return False
    return earlier or not same


def _id(link: Link) -> str:
    return link.id


def passes_something(of: Policies, link: Link) -> bool:
    """Whether any request at all is permitted on a link, and not forbidden.

    Raises:
        UnknownError: it cannot be tried.
    """
    return any(True for _ in passing(of, link))


def passing(of: Policies, link: Link, beside: Sequence[Link] = ()) -> Iterator[tuple[bool, ...]]:
    """Give the requests that pass on a link: for each, whether it passes on each of others too.

    Raises:
        UnknownError: they cannot all be tried.
    """
    sides = []
    for one in (link, *beside):
        permits = [of.matchers.of(p, one) for p in of.reaching(one, permits=True)]
        sides.append((permits, [of.matchers.of(p, one) for p in of.reaching(one, permits=False)]))
    every = [matcher for permits, forbids in sides for matcher in (*permits, *forbids)]
    for request in requests(every):
        passes = [
            any(p.matches(request) for p in permits) and not any(f.matches(request) for f in forbids)
            for permits, forbids in sides
        ]
        if passes[0]:
            yield tuple(passes[1:])
