"""What a new bundle changes, in plain words: before and after → changes, each with its direction.

Rules:
- Every field of every part is looked at (``difference_fields`` has an entry for each; one without is told as ``widen``).
- A change says which links it concerns: none where that cannot be told.
- What a Cedar policy reads is never ``narrow``: its conditions may turn it round.
- Unclear is ``widen``. The widening come first.

Deliberately absent: what it does to messages (``dry_run`` decides those again), and judging whether it is wise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from oathward.core.label_words import class_words, some
from oathward.core.labels import CLASSES
from oathward.policy import difference_fields as table
from oathward.policy.bundle import Bundle
from oathward.policy.cases import Case
from oathward.policy.difference_fields import Direction
from oathward.policy.difference_links import Change, Shaping, Side, compare, joint, of_links
from oathward.policy.labels import RANK
from oathward.policy.model import KEEP, PROTECTION, Recipient
from oathward.policy.protection import Rule as ProtectionRule
from oathward.policy.statements import Statement

__all__ = ["Change", "Shaping", "Side", "difference"]

_ORDER: tuple[Direction, ...] = ("widen", "narrow", "same")


def difference(before: Side | None, after: Side) -> tuple[Change, ...]:
    """Say everything that changes, the widening first; without a ``before``, everything is new."""
    old, new = before.bundle if before else None, after.bundle
    found = [
        *of_links(before, after),
        *_recipients(old, new),
        *_projects(old, new),
        *_protection(old, new),
        *_labels(old, new),
        *_profiles(before, after),
        *_policies(old, new),
        *_cases(old, new),
        *_about(old, new),
    ]
    if old is not None and not found and old.digest != new.digest:
        found = [Change("bundle.text", new.name, "same", "Only comments, layout or the README changed.")]
    read = _attributes([*(old.policies if old else ()), *new.policies])
    told = dict.fromkeys(_unsure(change, read) for change in found)  # each once
    return tuple(sorted(told, key=lambda change: (_ORDER.index(change.direction), change.kind, change.about)))


# --- recipients, projects


def _recipients(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    there: Mapping[str, Recipient] = old.recipients if old else {}
    for name, recipient in new.recipients.items():
        if name == KEEP:
            continue
        links = tuple(one.id for one in new.links.values() if one.recipient == name)
        before = there.get(name)
        if before is None:
            whose = f"{recipient.party}, another legal person" if recipient.external else recipient.party
            said = f"New recipient {recipient.name} ({whose}) in zone {recipient.zone}, protected by {recipient.protection}."
            yield Change("recipient.added", name, "same", said, links)
            continue
        told = list(compare(before, recipient, table.RECIPIENT, "recipient"))
        if before.tls and recipient.tls:
            told += compare(before.tls, recipient.tls, table.TLS, "recipient.tls")
        for kind, (direction, said) in told:
            yield Change(kind, name, direction, f"{recipient.name}{joint(said)}{said}.", links)
    for name in sorted(there.keys() - new.recipients.keys()):
        yield Change("recipient.removed", name, "same", f"Recipient {there[name].name} is gone.")


def _projects(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    there = old.projects if old else {}
    for name in sorted(there.keys() | new.projects.keys()):
        links = tuple(one.id for one in new.links.values() if one.project == name)
        if name not in there:
            yield Change(
                "project.added", name, "same", f"New project {name}: its pseudonyms are its own.", links
            )
        elif name not in new.projects:
            # It may come back under the same id, and then it takes jobs of everybody.
            direction: Direction = "widen" if there[name].released_by else "same"
            yield Change("project.removed", name, direction, f"Project {name} is gone.", links)
        else:
            for kind, (direction, said) in compare(there[name], new.projects[name], table.PROJECT, "project"):
                yield Change(kind, name, direction, f"Project {name} {said}.", links)


# --- protection and labels


def _protection(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    if old is None:
        return
    every = tuple(new.links)
    for kind, (direction, said) in compare(
        old.protection, new.protection, table.PROTECTION_TABLE, "protection"
    ):
        yield Change(kind, "protection", direction, f"The protection table {said}.", every)
    a, b = Counter(map(_row, old.protection.rules)), Counter(map(_row, new.protection.rules))
    gone, came = {row[:3]: row for row in a - b}, {row[:3]: row for row in b - a}
    for key in sorted(gone.keys() | came.keys(), key=lambda row: (sorted(row[0]), row[1:])):
        links = tuple(link.id for link in new.links.values() if link.classes & key[0])
        what = f"what leaves {_crossing(key)} with {_group(key[0])}"
        if key not in came:
            said = f"The protection table no longer asks at least {gone[key][3]} for {what}."
            yield Change("protection.rules", "protection", "widen", said, links)
        elif key not in gone:
            said = f"The protection table asks at least {came[key][3]} for {what}."
            yield Change("protection.rules", "protection", "narrow", said, links)
        else:
            weaker = PROTECTION.index(came[key][3]) < PROTECTION.index(gone[key][3])
            said = f"The protection table asks at least {came[key][3]} instead of {gone[key][3]} for {what}."
            yield Change("protection.rules", "protection", "widen" if weaker else "narrow", said, links)


def _row(rule: ProtectionRule) -> tuple[frozenset[str], str, str, str]:
    """Everything of a row but its place in the file."""
    return rule.classes, rule.crossing, rule.exposure, rule.minimum


def _crossing(key: tuple[frozenset[str], str, str]) -> str:
    where = {"same": "inside our zone", "other": "our zone", "any": "on any way"}[key[1]]
    return where if key[2] == "any" else f"{where} to where it is {key[2]}"


def _group(classes: frozenset[str]) -> str:
    return "anything in it" if classes >= CLASSES else some(map(class_words, sorted(classes)))


def _labels(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    if old is None:
        return
    every = tuple(new.links)
    if old.labels.default != new.labels.default:
        direction: Direction = "narrow" if RANK[new.labels.default] > RANK[old.labels.default] else "widen"
        said = f"What no label rule raises has confidentiality {new.labels.default} (before: {old.labels.default})."
        yield Change("label.default", "default", direction, said, every)
    a, b = ({rule.id: rule for rule in side.labels.rules} for side in (old, new))
    for name in sorted(a.keys() | b.keys()):
        if name not in a:
            rule = b[name]
            raises = some([f"confidentiality {rule.confidentiality}", *sorted(rule.sensitivity)])
            yield Change(
                "label.added", name, "narrow", f"New label rule {name}: it raises to {raises}.", every
            )
        elif name not in b:
            said = f"Label rule {name} is gone: what it raised counts as ordinary."
            yield Change("label.removed", name, "widen", said, every)
        else:
            for kind, (direction, said) in compare(a[name], b[name], table.LABEL_RULE, "label"):
                yield Change(kind, name, direction, f"Label rule {name} {said}.", every)


# --- profiles, policies, tests, the bundle itself


def _profiles(before: Side | None, after: Side) -> Iterator[Change]:
    """Name the site's own profiles that come, go or change; what that does stands with each link that uses one."""
    there = before.bundle.profiles if before else {}
    for name in sorted(there.keys() | after.bundle.profiles.keys()):
        users = tuple(link.id for link in after.bundle.links.values() if link.profile == name)
        used = f"links {some(users)} use it" if users else "no link uses it"
        if name not in there:
            yield Change("profile.added", name, "same", f"New profile {name}: {used}.", users)
        elif name not in after.bundle.profiles:
            yield Change("profile.removed", name, "same", f"Profile {name} is gone.", users)
        elif before is not None and before.shaping[name] != after.shaping[name]:
            yield from _changed_profile(name, before.shaping[name], after.shaping[name], used, users)


def _changed_profile(
    name: str, old: Shaping, new: Shaping, used: str, users: tuple[str, ...]
) -> Iterator[Change]:
    told = []
    for cls in sorted(CLASSES):
        a, b = old.actions.get(cls, "remove"), new.actions.get(cls, "remove")
        if a != b:
            told.append(f"{class_words(cls)}: {b} (before: {a})")
    for action in sorted(old.parameters.keys() | new.parameters.keys()):
        a, b = old.parameters.get(action, "none"), new.parameters.get(action, "none")
        if a != b:
            told.append(f"`{action}` by {b} (before: {a})")
    if old.uncatalogued != new.uncatalogued:
        told.append(f"what nobody has catalogued: {new.uncatalogued} (before: {old.uncatalogued})")
    if old.dicom != new.dicom:
        a, b = (some(map(str, codes)) if codes else "none" for codes in (old.dicom, new.dicom))
        told.append(f"options of DICOM PS3.15 Annex E: {b} (before: {a})")
    yield Change(
        "profile.changed", name, "same", f"Profile {name} ({used}) changes {'; '.join(told)}.", users
    )


def _policies(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    """Say which policies come, go and change: about messages on links, and about people."""
    pairs = (
        ("policy", old.policies if old else (), new.policies, old or new),
        ("people", old.people if old else (), new.people, None),
    )
    for kind, before, after, side in pairs:
        a, b = ({one.id: one for one in statements} for statements in (before, after))
        for name in sorted(a.keys() | b.keys()):
            if name not in a:
                direction: Direction = "widen" if b[name].permits else "narrow"
                yield _policy(f"{kind}.added", b[name], side and new, direction, "New policy")
            elif name not in b:
                direction = "narrow" if a[name].permits else "widen"
                yield _policy(f"{kind}.removed", a[name], side, direction, "Gone is policy")
            else:
                yield from _changed_policy(kind, a[name], b[name], side and new)


def _changed_policy(kind: str, old: Statement, new: Statement, bundle: Bundle | None) -> Iterator[Change]:
    if (old.permits, old.tree) != (new.permits, new.tree):
        yield _policy(f"{kind}.changed", new, bundle, "widen", "Another text has policy")
    links = _reached(new, bundle)
    if old.notify != new.notify:
        direction: Direction = "widen" if set(old.notify) - set(new.notify) else "same"
        said = f"Of policy {new.id} {some(new.notify) or 'nobody'} is told (before: {some(old.notify) or 'nobody'})."
        yield Change(f"{kind}.notify", new.id, direction, said, links)
    if old.why != new.why:
        yield Change(f"{kind}.why", new.id, "same", f"Policy {new.id} says why: “{new.why}”.", links)


def _policy(kind: str, one: Statement, bundle: Bundle | None, direction: Direction, what: str) -> Change:
    links = _reached(one, bundle)
    on = " something to people" if bundle is None else f" on {some(links) or 'no link'}"
    if bundle is not None and len(links) == len(bundle.links):
        on = " on every link"
    why = f": “{one.why}”" if one.why else ""
    verb = "permits" if one.permits else "forbids"
    return Change(kind, one.id, direction, f"{what} {one.id}, which {verb}{on}{why}.", links)


def _reached(one: Statement, bundle: Bundle | None) -> tuple[str, ...]:
    """Name the links a policy can touch; none where it is about people."""
    links = bundle.links.values() if bundle else ()
    return tuple(link.id for link in links if one.reaches("Disclose", link.id, link.recipient))


def _cases(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    a, b = _tests(old), _tests(new)
    gone, came = {name: link for (name, link), _ in a - b}, {name: link for (name, link), _ in b - a}
    for name in sorted(gone.keys() | came.keys()):
        what = "is new" if name not in gone else "is gone" if name not in came else "expects something else"
        link = came.get(name, gone.get(name, ""))
        yield Change("test.changed", name, "same", f"The test “{name}” {what}.", (link,) if link else ())


def _tests(side: Bundle | None) -> set[tuple[tuple[str, str], object]]:
    """Everything of each test but its place in the file, by name and link."""
    if side is None:
        return set()
    on_links = {((case.name, case.link), _as_written(case, side)) for case in side.cases}
    return on_links | {((case.name, ""), replace(case, where="")) for case in side.people_cases}


def _as_written(case: Case, side: Bundle) -> Case:
    """Say *every class of the link* as the file does by saying none: the link may change and its test stays what it is."""
    link, facts = side.links.get(case.link), case.facts
    if link is not None and facts.classes_present == link.classes:
        facts = replace(facts, classes_present=frozenset({"*"}))
    return replace(case, where="", facts=facts)


def _about(old: Bundle | None, new: Bundle) -> Iterator[Change]:
    if old is not None:
        for name in ("name", "description"):
            a, b = getattr(old, name), getattr(new, name)
            if a != b:
                yield Change(
                    f"bundle.{name}", new.name, "same", f"The bundle's {name} is “{b}” (before: “{a}”)."
                )


# --- what policies read


_READ = {
    "label": {"confidentiality", "sensitivity"},
    "link.agreement": {"agreement"},
    "link.carries_identity": {"carries_identity"},
    "link.without_consent": {"without_consent"},
}
"""Changes whose direction a policy's condition may turn round: kind, or its noun → attributes of the schema."""


def _unsure(change: Change, read: frozenset[str]) -> Change:
    asked = _READ.get(change.kind) or _READ.get(change.kind.partition(".")[0]) or set()
    if change.direction == "widen" or not asked & read:
        return change
    return replace(
        change, direction="widen", words=f"{change.words} A policy reads it: what follows cannot be told."
    )


def _attributes(policies: Iterable[Statement]) -> frozenset[str]:
    """Name every attribute that some condition reads."""
    return frozenset(name for one in policies for name in _names(one.tree["conditions"]))


def _names(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for operator in (".", "has"):
            if isinstance(node := tree.get(operator), Mapping):
                yield str(node.get("attr", ""))
    for part in tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ():
        yield from _names(part)
