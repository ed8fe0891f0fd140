"""What changes of links, in plain words: what each gives, and every field of its declaration.

Rules:
- What a link gives is what it asks for *and* its profile lets through: a class that a profile removes is not news.
- A field without an entry in ``difference_fields`` is told as ``widen``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from oathward.core.label_words import action_words, class_words, some
from oathward.core.labels import CLASSES
from oathward.policy import difference_fields as table
from oathward.policy import difference_words as words
from oathward.policy.bundle import Bundle
from oathward.policy.difference_fields import Direction, Rule, Said
from oathward.policy.model import Link


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changes.

    Args:
        kind: ``noun.field``: ``link.added``, ``link.classes``, ``recipient.address``, ``policy.removed`` …
        about: the id of the link, recipient, project, rule, policy or profile.
        links: those whose messages it may touch; empty where none, or where it cannot be told.
    """

    kind: str
    about: str
    direction: Direction
    words: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shaping:
    """What a profile does, in words of policy (``deid`` reads it).

    ``actions``: class → action; a class that is absent is removed. ``parameters``: action → its parameters, as text.
    """

    actions: Mapping[str, str]
    parameters: Mapping[str, str]
    uncatalogued: str = "remove"
    dicom: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """A bundle with what its profiles do, by name."""

    bundle: Bundle
    shaping: Mapping[str, Shaping]


def compare(old: Any, new: Any, entries: Mapping[str, Rule], kind: str) -> Iterator[tuple[str, Said]]:
    """Look at every field of two parts of one kind; gives kind of change and what to say."""
    for one in fields(new):
        a, b = getattr(old, one.name), getattr(new, one.name)
        if a != b and not one.name.startswith("_") and one.compare:
            rule = entries.get(one.name)
            said: Iterable[Said] = rule(a, b) if rule else [("widen", f"`{one.name}` changed")]
            for each in said:
                yield f"{kind}.{one.name}", each


def of_links(before: Side | None, after: Side) -> Iterator[Change]:
    """Say what changes of every link."""
    old = before.bundle.links if before else {}
    for name, link in after.bundle.links.items():
        if before is None or name not in old:
            yield _new_link(after, link)
        else:
            yield from _changed_link(before, after, old[name], link)
    if before is not None:
        for name in sorted(old.keys() - after.bundle.links.keys()):
            whom = _whom(before.bundle, old[name])
            yield Change(
                "link.removed", name, "narrow", f"{whom} will no longer get anything on link {name}.", (name,)
            )


def _new_link(side: Side, link: Link) -> Change:
    bundle, gets = side.bundle, _gets(side, link)
    recipient = bundle.recipients[link.recipient]
    consent = "without asking the patient" if link.without_consent else "only with the patient's consent"
    whose = f" of {recipient.party}" if recipient.external else ""
    said = (
        f"New link {link.id}: {_whom(bundle, link)}{whose} may get {_classes(gets)} "
        f"for {words.purpose_words(link.purpose)}, {consent}, as profile {link.profile} shapes it; "
        f"it takes {some(map(words.type_words, sorted(link.sources.message_types)))} from {_devices(link)}."
    )
    return Change("link.added", link.id, "widen", said, (link.id,))


def _changed_link(before: Side, after: Side, old: Link, new: Link) -> Iterator[Change]:
    whom = _whom(after.bundle, new)
    yield from _flow(before, after, old, new)
    told = [
        *compare(old, new, table.LINK, "link"),
        *compare(old.sources, new.sources, table.SOURCES, "link.sources"),
    ]
    for kind, (direction, said) in told:
        yield Change(kind, new.id, direction, f"{whom}{joint(said)}{said}.", (new.id,))


_VERBS = (
    "may ",
    "will ",
    "asks ",
    "is ",
    "has ",
    "takes ",
    "no longer ",
    "now ",
    "goes ",
    "rests ",
    "leaves ",
    "begins ",
    "ends ",
)


def joint(said: str) -> str:
    """Join whom it is about with what is said: a sentence, or a note after a colon."""
    return " " if said.startswith(_VERBS) else ": "


def _flow(before: Side, after: Side, old: Link, new: Link) -> Iterator[Change]:
    """Say which classes come and go, and which leave in another form."""
    whom, a, b = _whom(after.bundle, new), _gets(before, old), _gets(after, new)
    if came := {c: b[c] for c in b.keys() - a.keys()}:
        yield _of_link("link.gets", new, "widen", f"{whom} may now get {_classes(came)}.")
    if gone := a.keys() - b.keys():
        yield _of_link(
            "link.gets", new, "narrow", f"{whom} will no longer get {_classes(dict.fromkeys(gone, ''))}."
        )
    other = {c: (a[c], b[c]) for c in sorted(a.keys() & b.keys()) if a[c] != b[c]}
    for how in sorted(set(other.values())):
        named = some(class_words(c) for c in other if other[c] == how)
        said = f"{whom} gets {named} {action_words(how[1])}, no longer {action_words(how[0])}."
        yield _of_link("link.form", new, "narrow" if how[0] == "keep" else "widen", said)
    x, y = before.shaping[old.profile].parameters, after.shaping[new.profile].parameters
    for action in sorted(set(b.values())):
        if x.get(action, "") != y.get(action, "") and action in a.values():
            said = f"{whom}: `{action}` works by {y.get(action) or 'no list'} (before: {x.get(action) or 'no list'})."
            yield _of_link("link.parameters", new, "widen", said)


def _of_link(kind: str, link: Link, direction: Direction, said: str) -> Change:
    return Change(kind, link.id, direction, said, (link.id,))


def _gets(side: Side, link: Link) -> dict[str, str]:
    """What may leave on a link: class → action; what nobody catalogued only where link or profile says so."""
    shaping = side.shaping[link.profile]
    found = {c: a for c in link.classes if (a := shaping.actions.get(c, "remove")) != "remove"}
    found.pop("uncatalogued", None)
    says = link.uncatalogued if link.for_care else shaping.uncatalogued
    return found | ({"uncatalogued": "keep"} if says == "pass" and "uncatalogued" in link.classes else {})


def _classes(gets: Mapping[str, str]) -> str:
    """Name classes, with the form they leave in where that is not as they are."""
    if gets.keys() >= CLASSES - {"uncatalogued"} and set(gets.values()) == {"keep"}:
        return "everything"
    plain = [class_words(c) for c in sorted(gets) if gets[c] in {"keep", ""}]
    formed = [
        f"{class_words(c)} {action_words(gets[c])}" for c in sorted(gets) if gets[c] not in {"keep", ""}
    ]
    return some(plain + formed) or "nothing"


def _whom(bundle: Bundle, link: Link) -> str:
    """Name whom a link is for; by link too where its recipient has several."""
    recipient = bundle.recipients[link.recipient]
    several = sum(one.recipient == link.recipient for one in bundle.links.values()) > 1
    name = recipient.name or recipient.id
    return f"{name} on link {link.id}" if several else name


def _devices(link: Link) -> str:
    source = link.sources
    if "*" in source.devices | source.kinds | source.tags:
        return "any device"
    parts = (
        ("devices ", source.devices),
        ("devices of kind ", source.kinds),
        ("devices tagged ", source.tags),
    )
    return some(f"{what}{words.quoted(names)}" for what, names in parts if names)
