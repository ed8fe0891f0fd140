"""Review of links, labels, recipients and classes: what covers what, what reaches wider than any use, what nothing covers.

Rules:
- *Use* is what was recorded: a link used a class where a message that it permitted had it.
- A link for care, and what is kept, are not narrowed to what happened to come: an emergency looks like nothing before.
- Nothing is called unused before the ledger has the days, and the link was in force for as long.
- A link covers another where everything that the other would pass, it passes: same recipient, purpose, profile and
  form, no narrower sources, classes, labels and dates, and policies that say yes to all of it.

Deliberately absent: single policies (``review_policies``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from oathward.core.labels import OBSERVATION_CLASSES
from oathward.policy.labels import RANK
from oathward.policy.model import ANY, KEEP, TRANSPORT_CLASSES, Link, Sources
from oathward.policy.review_edits import with_list, without_label, without_link, without_recipient
from oathward.policy.review_findings import Proposal, ReviewFinding
from oathward.policy.review_policies import Policies, passes_something, passing
from oathward.policy.review_requests import UnknownError

UNUSED_DAYS = 90
_DAY_US = 86_400_000_000


@dataclass
class LinkUse:
    """What passed on one link in the days that were looked at; ``permits``: how many different decisions."""

    permits: int = 0
    classes: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)


@dataclass
class Uses:
    """What came and what passed. ``days``: that the ledger could be looked back; ``since_us``: link → in force since."""

    days: int = 0
    decisions: int = 0
    links: dict[str, LinkUse] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    since_us: Mapping[str, int] = field(default_factory=dict)

    def of(self, link: str) -> LinkUse:
        """What passed on a link."""
        return self.links.get(link) or LinkUse()


def findings(of: Policies, uses: Uses, now_us: int) -> Iterator[ReviewFinding]:
    """Review every link, and what stands around links."""
    for link in of.bundle.links.values():
        found = _expired(of, link, now_us) or _never_passes(of, link) or _covered(of, link)
        if found is not None:
            yield found
        elif _watched(uses, link, now_us):
            yield from _unused(of, uses, link)
    yield from _labels(of)
    yield from _uncovered(of, uses)
    used = {link.recipient for link in of.bundle.links.values()}
    for name in of.bundle.recipients:
        if name not in used and name != KEEP:
            proposal = Proposal(f"take recipient {name} away", without_recipient(of.files, name))
            yield ReviewFinding("recipient.unused", f"recipient:{name}", f"no link is to {name}", proposal)


def _gone(of: Policies, rule: str, link: Link, words: str) -> ReviewFinding:
    proposal = Proposal(f"take link {link.id} away", without_link(of.bundle, of.files, link.id))
    return ReviewFinding(rule, f"link:{link.id}", words, proposal)


def _expired(of: Policies, link: Link, now_us: int) -> ReviewFinding | None:
    if link.valid_until_us is None or link.valid_until_us > now_us:
        return None
    days = (now_us - link.valid_until_us) // _DAY_US
    return _gone(of, "link.expired", link, f"{link.id}: its agreement ended {days} days ago; nothing passes")


def _never_passes(of: Policies, link: Link) -> ReviewFinding | None:
    sources = link.sources
    takes = sources.message_types and (sources.devices or sources.kinds or sources.tags)
    if not takes:
        return _gone(of, "link.never-passes", link, f"{link.id} takes no device or no message type")
    try:
        if passes_something(of, link):
            return None
    except UnknownError:
        return None
    return _gone(of, "link.never-passes", link, f"policies forbid all that could pass on {link.id}")


def _covered(of: Policies, link: Link) -> ReviewFinding | None:
    for other in of.bundle.links.values():
        if other.id == link.id or not _wider(other, link) or (_wider(link, other) and link.id < other.id):
            continue
        try:
            if all(also for (also,) in passing(of, link, [other])):
                return _gone(
                    of, "link.shadowed", link, f"all that {link.id} passes, {other.id} passes as well"
                )
        except UnknownError:
            continue
    return None


def _wider(a: Link, b: Link) -> bool:
    """Whether a link takes and passes all that another one does, policies aside."""
    same = (
        (
            a.recipient,
            a.purpose,
            a.profile,
            a.project,
            a.format,
            a.mentioned,
            a.shared_ids,
            a.carries_identity,
        )
        == (
            b.recipient,
            b.purpose,
            b.profile,
            b.project,
            b.format,
            b.mentioned,
            b.shared_ids,
            b.carries_identity,
        )
        and (a.without_consent, a.objection, a.uncatalogued)
        == (b.without_consent, b.objection, b.uncatalogued)
        and a.indeterminate == b.indeterminate
    )
    return (
        same
        and b.classes <= a.classes
        and a.min_assurance.rank <= b.min_assurance.rank
        and RANK[a.confidentiality_max] >= RANK[b.confidentiality_max]
        and all(a.sensitivity_denied[code] <= b.sensitivity_denied.get(code, b.sensitivity_denied.get(ANY, frozenset()))
                for code in a.sensitivity_denied)
        and (a.valid_from_us is None or (b.valid_from_us is not None and a.valid_from_us <= b.valid_from_us))
        and (a.valid_until_us is None or (b.valid_until_us is not None and a.valid_until_us >= b.valid_until_us))
        and _takes(a.sources, b.sources)
    )  # fmt: skip


def _takes(a: Sources, b: Sources) -> bool:
    """Whether sources take all that others take."""
    types = ANY in a.message_types or all(
        word in a.message_types or f"{word.partition('^')[0]}^{ANY}" in a.message_types
        for word in b.message_types
    )
    if ANY in a.devices:
        return types
    return (
        types and ANY not in b.devices and b.devices <= a.devices and b.kinds <= a.kinds and b.tags <= a.tags
    )


def _watched(uses: Uses, link: Link, now_us: int) -> bool:
    """Whether a link was in force for as long as the ledger was looked at, and that is long enough."""
    since_us = uses.since_us.get(link.id)
    long_ago = since_us is not None and since_us <= now_us - UNUSED_DAYS * _DAY_US
    return uses.days >= UNUSED_DAYS and long_ago and bool(uses.decisions)


def _unused(of: Policies, uses: Uses, link: Link) -> Iterator[ReviewFinding]:
    use, about = uses.of(link.id), f"link:{link.id}"
    if not use.permits:
        yield _gone(of, "link.unused", link, f"nothing passed on {link.id} in {uses.days} days")
        return
    if link.for_care or link.recipient == KEEP:
        return
    left = link.classes - TRANSPORT_CLASSES - use.classes
    if OBSERVATION_CLASSES & use.classes:
        left -= OBSERVATION_CLASSES  # an observation passes whole or not at all
    if left:
        kept = sorted(link.classes - left)
        proposal = Proposal(
            f"{link.id}: classes that passed, and no others", with_list(of.files, link.id, "classes", kept)
        )
        words = f"{link.id} names {', '.join(sorted(left))}; in {uses.days} days nothing that passed had it"
        yield ReviewFinding("link.classes-unused", about, words, proposal)
    odd = sorted(word for word in link.sources.message_types if not _came(word, use.types))
    if odd or ANY in link.sources.message_types:
        named = ", ".join(odd) or "every type"
        words = f"{link.id} takes {named}; in {uses.days} days there passed {', '.join(sorted(use.types))}"
        kept = sorted(use.types) if not odd else sorted(link.sources.message_types - set(odd))
        proposal = Proposal(
            f"{link.id}: types that passed, and no others",
            with_list(of.files, link.id, "message_types", kept),
        )
        yield ReviewFinding("link.types-unused", about, words, proposal)
    yield from _sources(of, uses, link)


def _came(word: str, types: set[str]) -> bool:
    return (
        word == ANY or word in types or (word.endswith("^*") and any(t.startswith(word[:-1]) for t in types))
    )


def _sources(of: Policies, uses: Uses, link: Link) -> Iterator[ReviewFinding]:
    use = uses.of(link.id)
    for key, named, came in (
        ("devices", link.sources.devices, use.devices),
        ("kinds", link.sources.kinds, use.kinds),
        ("tags", link.sources.tags, use.tags),
    ):
        odd = sorted(named - {ANY} - came)
        if odd:
            proposal = Proposal(
                f"{link.id}: {key} of which something passed, and no others",
                with_list(of.files, link.id, key, sorted(named - set(odd))),
            )
            words = f"{link.id} takes {key} {', '.join(odd)}; in {uses.days} days nothing of these passed"
            yield ReviewFinding("link.sources-unused", f"link:{link.id}/{key}", words, proposal)


def _labels(of: Policies) -> Iterator[ReviewFinding]:
    kinds = of.known.kinds
    for rule in of.bundle.labels.rules:
        if (
            kinds
            and rule.device_kind
            and not any(_like(kind, word) for kind in kinds for word in rule.device_kind)
        ):
            proposal = Proposal(f"take rule {rule.id} out of labels.toml", without_label(of.files, rule.id))
            words = (
                f"{rule.id} asks for {', '.join(sorted(rule.device_kind))}; no such kind is declared or came"
            )
            yield ReviewFinding("label.never-fires", f"label:{rule.id}", words, proposal)


def _uncovered(of: Policies, uses: Uses) -> Iterator[ReviewFinding]:
    named = frozenset[str]().union(*(link.classes for link in of.bundle.links.values()))
    for cls in sorted(uses.classes - named):
        words = f"messages had {cls}, and no link carries it: name it where somebody needs it, or sign off that nobody does"
        yield ReviewFinding("class.uncovered", f"class:{cls}", words)


def _like(value: str, word: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, word.split("*"))), value, re.IGNORECASE) is not None
