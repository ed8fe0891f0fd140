"""What each field of a bundle's parts means when it changes: in which direction, and in words.

| table | one entry for each field of |
|---|---|
| ``LINK``, ``SOURCES`` | ``Link``, ``Sources`` |
| ``RECIPIENT``, ``TLS`` | ``Recipient``, ``Tls`` |
| ``PROJECT``, ``PROTECTION_TABLE``, ``LABEL_RULE`` | ``Project``, ``Protection``, ``LabelRule`` |

Rules:
- An entry takes the value before and the value after, which differ, and says one or more (direction, words).
- ``widen``: more may leave, to more, or less protected. ``narrow``: less. ``same``: neither, by this change alone.
- What cannot be told is ``widen``: nothing narrows by being unclear.
- Words end a sentence that ``difference`` begins with whom it is about.

Deliberately absent: looking at two fields together (``difference``), and any value of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from oathward.core.label_words import class_words, some
from oathward.policy.difference_words import (
    KIND_WORDS,
    WIRES,
    day,
    purpose_words,
    quoted,
    type_words,
)
from oathward.policy.labels import RANK
from oathward.policy.model import PROTECTION

Direction = Literal["widen", "narrow", "same"]
Said = tuple[Direction, str]
Rule = Callable[[Any, Any], Iterable[Said]]
"""(before, after) → what to say of it."""


def _to(direction: Direction, words: str, show: Callable[[Any], str] = str) -> Rule:
    """One direction whatever the values; ``{new}`` and ``{old}`` stand in the words."""
    return lambda old, new: [(direction, words.format(old=show(old) or "none", new=show(new) or "none"))]


def _flag(on: Said, off: Said) -> Rule:
    return lambda _, new: [on if new else off]


def _ranked(order: Sequence[Any], words: str, show: Callable[[Any], str] = str) -> Rule:
    """Values from narrow to wide."""

    def rule(old: Any, new: Any) -> Iterable[Said]:
        wider = order.index(new) > order.index(old)
        yield "widen" if wider else "narrow", words.format(old=show(old), new=show(new))

    return rule


def _set(
    more: str, less: str, show: Callable[[Iterable[str]], str] = quoted, *, wider: Direction = "widen"
) -> Rule:
    """A set of words: what came is ``wider``, what went the other way round; ``same`` stays so."""
    other: dict[Direction, Direction] = {"widen": "narrow", "narrow": "widen", "same": "same"}

    def rule(old: Any, new: Any) -> Iterable[Said]:
        if came := set(new) - set(old):
            yield wider, more.format(show(came))
        if gone := set(old) - set(new):
            yield other[wider], less.format(show(gone))
        if not came and not gone:
            yield "same", more.format("the same in another order")

    return rule


def _types(words: Iterable[str]) -> str:
    return some(map(type_words, sorted(words)))


def _key(key: bytes | None) -> str:
    return f"the key that begins with {key.hex()[:16]}" if key else "none"


def _public_key(old: bytes | None, new: bytes | None) -> Iterable[Said]:
    if old is None:
        yield "narrow", f"what leaves is now sealed to {_key(new)}: only its holder can read it"
    elif new is None:
        yield "widen", f"what leaves is no longer sealed end to end (before: to {_key(old)})"
    else:
        yield "widen", f"what leaves is sealed to {_key(new)} instead of {_key(old)}: another holder reads it"


def _denied(old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> Iterable[Said]:
    for code in sorted(old.keys() | new.keys()):
        before, after = old.get(code, frozenset()), new.get(code, frozenset())
        what = "anything of a sensitivity" if code == "*" else f"sensitivity {code}"
        if gone := before - after:
            yield "widen", f"where a message has {what}, may now get {some(map(class_words, sorted(gone)))}"
        if came := after - before:
            yield (
                "narrow",
                f"where a message has {what}, will no longer get {some(map(class_words, sorted(came)))}",
            )
        if before == after and (code in old) is not (code in new):
            yield "same", f"says of {what} that nothing is denied, as before"


def _from(old: int | None, new: int | None) -> Iterable[Said]:
    wider = new is None or (old is not None and new < old)
    yield (
        "widen" if wider else "narrow",
        f"begins {day(new)}" if new is not None else "has no first day any more",
    )


def _until(old: int | None, new: int | None) -> Iterable[Said]:
    wider = new is None or (old is not None and new > old)
    yield "widen" if wider else "narrow", f"ends {day(new)}" if new is not None else "has no end any more"


def _kept_days(old: int, new: int) -> Iterable[Said]:
    yield "widen" if new > old else "narrow", f"is kept for {new} days instead of {old}"


def _agreement(old: str, new: str) -> Iterable[Said]:
    if not new:
        yield "widen", f"rests on no agreement any more (before: {old})"
    else:
        yield "same", f"rests on agreement {new} instead of {old or 'none'}"


_PASSES = {
    "hold": "messages that hold it are held",
    "remove": "it is removed",
    "pass": "it passes with a finding",
}

SOURCES: Mapping[str, Rule] = {
    "devices": _set("may now get what devices {} send", "will no longer get what devices {} send by name"),
    "kinds": _set(
        "may now get what devices of kind {} send", "will no longer get what devices of kind {} send"
    ),
    "tags": _set("may now get what devices tagged {} send", "will no longer get what devices tagged {} send"),
    "message_types": _set("may now get {}", "will no longer get {}", _types),
}

LINK: Mapping[str, Rule] = {
    "id": _to("same", "is called {new} instead of {old}"),
    "recipient": _to("widen", "goes to recipient {new} instead of {old}"),
    "purpose": _to("widen", "is for {new} instead of {old}", purpose_words),
    "legal_basis": _to("same", "rests on “{new}” instead of “{old}”"),
    "classes": _set(
        "asks now also for {}",
        "asks no longer for {}",
        lambda words: some(map(class_words, sorted(words))),
        wider="same",  # what really leaves hangs on the profile too: `difference` says that
    ),
    "profile": _to("same", "is shaped by profile {new} instead of {old}"),
    "sources": lambda _, __: (),  # field by field, by `SOURCES`
    "without_consent": _flag(
        ("widen", "no longer needs the patient's consent"), ("narrow", "now needs the patient's consent")
    ),
    "objection": _ranked(("honoured", "overruled"), "a patient's objection is {new} (before: {old})"),
    "project": _to("widen", "has pseudonyms of project {new} instead of {old}"),
    "min_assurance": lambda old, new: [
        (
            "widen" if new.rank < old.rank else "narrow",
            f"takes devices known at least by {new} (before: {old})",
        )
    ],
    "min_protection": _ranked(PROTECTION[::-1], "is protected on the way at least by {new} (before: {old})"),
    "agreement": _agreement,
    "indeterminate": _ranked(
        ("hold", "care-team"),
        "what cannot be told {new} (before: {old})",
        {"hold": "is held", "care-team": "still reaches those who treat"}.__getitem__,
    ),
    "retention_days": _kept_days,
    "format": _to("widen", "leaves as {new} (before: {old})", lambda wire: WIRES[wire]),
    "mentioned": _ranked(
        ("create", "update"),
        "what a message only mentions is {new} there (before: {old})",
        {"create": "created where it is not", "update": "written over"}.__getitem__,
    ),
    "provenance": _flag(
        ("same", "is told how what it gets was made"), ("same", "is no longer told how what it gets was made")
    ),
    "shared_ids": _set(
        "references of devices {} leave as they are", "references of devices {} leave as pseudonyms again"
    ),
    "on_exhausted": _to(
        "same",
        "a delivery that fails for good {new} (before: {old})",
        {"block": "holds those behind it", "skip": "is left out"}.__getitem__,
    ),
    "carries_identity": _flag(
        ("widen", "may now say who the patient is"), ("narrow", "may no longer say who the patient is")
    ),
    "uncatalogued": _ranked(
        ("hold", "remove", "pass"), "what nobody has catalogued: {new} (before: {old})", _PASSES.__getitem__
    ),
    "confidentiality_max": _ranked(
        sorted(RANK, key=RANK.__getitem__), "takes messages up to confidentiality {new} (before: {old})"
    ),
    "sensitivity_denied": _denied,
    "labels_travel": _flag(
        ("widen", "is now told how sensitive what it gets is"),
        ("widen", "is no longer told how sensitive what it gets is"),
    ),
    "notify": lambda old, new: [
        (
            "widen" if set(old) - set(new) else "same",
            f"{some(new) or 'nobody'} is told of it (before: {some(old) or 'nobody'})",
        )
    ],
    "valid_from_us": _from,
    "valid_until_us": _until,
}

RECIPIENT: Mapping[str, Rule] = {
    "id": _to("same", "is called {new} instead of {old}"),
    "name": _to("same", "has the name “{new}” (before: “{old}”)"),
    "kind": _to("widen", "is reached by {new} (before: {old})", KIND_WORDS.__getitem__),
    "zone": _to("widen", "stands in zone {new} (before: {old})"),
    "address": _to("widen", "is reached at {new} (before: {old})"),
    "party": _to("widen", "belongs to {new} (before: {old})"),
    "external": _flag(
        ("widen", "counts now as another legal person than this site"),
        ("widen", "counts no longer as another legal person than this site"),
    ),
    "public_key": _public_key,
    "tls": lambda old, new: (
        [("narrow", "is now reached over TLS")]
        if old is None
        else [("widen", "is no longer reached over TLS")]
        if new is None
        else ()  # field by field, by `TLS`
    ),
    "actors": lambda old, new: [
        ("widen", f"is {quoted(new) or 'nobody'} in what patients said (before: {quoted(old) or 'nobody'})")
    ],
    "withdrawal_notice": _flag(
        ("same", "is now told when a patient allows it less, or more"),
        ("widen", "is no longer told when a patient allows it less"),
    ),
}


def _own_file(what: str) -> Rule:
    def rule(old: str, new: str) -> Iterable[Said]:
        if not new:
            yield "widen", f"is no longer shown our {what}"
        elif not old:
            yield "narrow", f"is now shown our {what}, from file {new}"
        else:
            yield "same", f"is shown our {what} from file {new} (before: {old})"

    return rule


TLS: Mapping[str, Rule] = {
    "ca": _to("widen", "is believed when {new} vouches for it (before: {old})"),
    "certificate": _own_file("certificate"),
    "key": _own_file("proof of who we are"),
    "server_name": _to("widen", "must show a certificate for {new} (before: {old})"),
}


def _merges(_: str, new: str) -> Iterable[Said]:
    """Either way numbers are called otherwise than the project knows them, and who compares may tie two together."""
    if new == "together":
        said = "gives merged patients one pseudonym, also those merged before: a number merged into another bears the other's"
    else:
        said = "leaves each number its pseudonym in a merge, also those merged before: one merged into another bears its own again"
    yield "widen", said


def _released_by(old: frozenset[str], new: frozenset[str]) -> Iterable[Said]:
    """Nobody named is everybody who may run a job."""
    wider = bool(old) and (not new or not new <= old)
    who = ", ".join(sorted(new)) or "whoever may run a job"
    before = ", ".join(sorted(old)) or "whoever may run one"
    yield "widen" if wider else "narrow", f"takes jobs of {who} (before: {before})"


PROJECT: Mapping[str, Rule] = {
    "id": _to("same", "is called {new} instead of {old}"),
    "title": _to("same", "has the title “{new}” (before: “{old}”)"),
    "date_shift": _flag(
        ("narrow", "moves dates by a secret number of days"), ("widen", "no longer moves dates")
    ),
    "merges": _merges,
    "released_by": _released_by,
}


def _zones(old: Mapping[str, str], new: Mapping[str, str]) -> Iterable[Said]:
    order = ("internet", "partner", "internal")
    for zone in sorted(old.keys() | new.keys()):
        before, after = old.get(zone), new.get(zone)
        if before is None:
            yield "same", f"knows a new zone {zone} ({after})"
        elif after is None:
            yield "same", f"has no zone {zone} any more (before: {before})"
        elif before != after:
            wider = order.index(after) > order.index(before)
            yield "widen" if wider else "narrow", f"takes zone {zone} for {after} (before: {before})"


PROTECTION_TABLE: Mapping[str, Rule] = {
    "here": _to("widen", "says that Oathward stands in zone {new} (before: {old})"),
    "zones": _zones,
    "rules": lambda _, __: (),  # row by row, by `difference`
}


def _condition(what: str) -> Rule:
    """A condition of a label rule: an empty one is none, and then it raises more."""

    def rule(old: frozenset[str], new: frozenset[str]) -> Iterable[Said]:
        wider = bool(new) and (not old or not old <= new)
        yield (
            "widen" if wider else "narrow",
            f"applies where {what} is {quoted(new) or 'any'} (before: {quoted(old) or 'any'})",
        )

    return rule


LABEL_RULE: Mapping[str, Rule] = {
    "id": _to("same", "is called {new} instead of {old}"),
    "codes": _condition("a code"),
    "location": _condition("the place"),
    "unit": _condition("the unit"),
    "device_kind": _condition("the kind of device"),
    "sender": _condition("the sender"),
    "confidentiality": _ranked(
        sorted(RANK, key=RANK.__getitem__, reverse=True), "raises to confidentiality {new} (before: {old})"
    ),
    "sensitivity": _set("now also adds sensitivity {}", "no longer adds sensitivity {}", wider="narrow"),
}
