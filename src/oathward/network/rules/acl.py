"""A list of access rules as CSV, from any switch or firewall, as one ``Ruleset``. Pure.

Rules:
- Which column is what is declared (``columns``: our field -> their header); nothing is guessed.
- The first rule of a list that matches decides; behind the last one stands what the caller says, deny where it says nothing.
- An address is ``any``, a network, a range, ``address mask`` or ``address wildcard-mask``; ports are numbers, ranges or IANA's names. Several
  stand behind each other with space, comma or semicolon. What is none of these (the name of a group) makes its rule unclear.

Deliberately absent: the command languages of makers.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Mapping

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network.rules import spans
from oathward.network.rules.model import Action, Branch, Chain, Match, Names, Rule, Ruleset
from oathward.network.rules.nft_text import TEXT_LENGTH_MAX
from oathward.network.rules.spans import ADDRESSES, PORTS, PROTOCOLS, Spans
from oathward.network.rules.words import DROPS, PERMITS, PROTOCOL, REJECTS, SERVICE, WITH_PORTS

FIELDS = (
    "list",
    "order",
    "action",
    "source",
    "destination",
    "protocol",
    "source_ports",
    "ports",
    "inward",
    "outward",
    "hits",
    "enabled",
)
NEEDED = frozenset({"action", "source", "destination"})
ROWS_MAX = 200_000
SIZE_BYTES_MAX = 32 * 1024 * 1024
_ANY = frozenset({"", "any", "*", "all", "any4", "any6", "ip"})
_OFF = frozenset({"0", "no", "false", "off", "disabled", "inactive"})
_MASKED = re.compile(r"([0-9.]+)\s+([0-9.]+)").fullmatch
_PARTS = re.compile(r"[\s,;]+")


def read(
    data: bytes, columns: Mapping[str, str], *, hook: str = "forward", last: Action = Action.DROP
) -> Ruleset:
    """Read a CSV whose first line names its columns.

    Args:
        columns: field of ``FIELDS`` -> the file's own name of that column. hook: where its lists apply. last: behind the last rule.

    Raises:
        InputError: ``observation.columns``: a column is not there, or none is declared that must be; ``message.limit-exceeded``.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise InputError("file", f"at most {SIZE_BYTES_MAX >> 20} MiB", reason=Reason.LIMIT_EXCEEDED)
    if wrong := sorted(set(columns) - set(FIELDS)) or sorted(NEEDED - set(columns)):
        why = f"declare {', '.join(sorted(NEEDED))}; known: {', '.join(FIELDS)}"
        raise InputError(wrong[0], why, reason=Reason.OBSERVED_COLUMNS)
    text = data.decode("utf-8-sig", errors="replace")
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), dialect=_dialect(text))
        names = rows.fieldnames or []
        if absent := sorted(name for name in columns.values() if name not in names):
            raise InputError(
                f"column for {_field(columns, absent[0])}",
                "is not in the file",
                reason=Reason.OBSERVED_COLUMNS,
            )
        return _lists(rows, columns, hook, last)
    except csv.Error as error:
        raise InputError("file", "is not CSV", reason=Reason.OBSERVED_COLUMNS) from error


def _field(columns: Mapping[str, str], name: str) -> str:
    return next(field for field, theirs in columns.items() if theirs == name)


def _dialect(text: str) -> type[csv.Dialect]:
    head = text.partition("\n")[0]
    best = max(",;\t|", key=head.count)

    class Found(csv.excel):
        delimiter = best

    return Found


def _lists(rows: csv.DictReader[str], columns: Mapping[str, str], hook: str, last: Action) -> Ruleset:
    lists: dict[str, list[tuple[int, int, dict[str, str]]]] = {}
    for number, row in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise InputError("file", f"at most {ROWS_MAX} rules", reason=Reason.LIMIT_EXCEEDED)
        values = {field: (row.get(name) or "").strip() for field, name in columns.items()}
        if values.get("enabled", "1").lower() in _OFF:
            continue
        order = values.get("order", "")
        place = int(order) if order.isdecimal() and order.isascii() and len(order) < 10 else number
        lists.setdefault(values.get("list", "") or "list", []).append((place, number, values))
    chains, index = {}, 0
    for name, members in lists.items():
        made = []
        for place, number, values in sorted(members, key=lambda one: one[:2]):
            made.append(_rule(values, name, f"{name} {place} (row {number})", index))
            index += 1
        chains[name] = Chain(name, "inet", tuple(made), hook, 0, last)
    return Ruleset(chains)


def _rule(values: Mapping[str, str], chain: str, place: str, index: int) -> Rule:
    unclear: list[str] = []
    word = values["action"].lower()
    action = (
        Action.ACCEPT
        if word in PERMITS
        else Action.DROP
        if word in DROPS
        else Action.REJECT
        if word in REJECTS
        else Action.UNCLEAR
    )
    if action is Action.UNCLEAR:
        unclear.append("action")
    protocols = _numbers(values.get("protocol", ""), "protocol", PROTOCOL, PROTOCOLS, unclear)
    sides = {
        name: _numbers(values.get(name, ""), name, SERVICE, PORTS, unclear)
        for name in ("source_ports", "ports")
    }
    if any(found != PORTS for found in sides.values()):
        protocols = spans.common(protocols, spans.joined((number, number) for number in WITH_PORTS))
    match = Match(
        _addresses(values["source"], "source", unclear),
        _addresses(values["destination"], "destination", unclear),
        protocols,
        sides["source_ports"],
        sides["ports"],
        inward=_interface(values.get("inward", "")),
        outward=_interface(values.get("outward", "")),
    )
    hits = values.get("hits", "").replace(",", "").replace(".", "")
    text = " ".join(value for field, value in values.items() if field not in {"hits", "enabled"} and value)[
        :TEXT_LENGTH_MAX
    ]
    count = int(hits) if hits.isdecimal() and hits.isascii() and len(hits) < 19 else None
    return Rule(place, chain, index, (Branch(match, action),), text, count, tuple(unclear))


def _interface(text: str) -> Names:
    return Names() if text.lower() in _ANY else Names(frozenset({text}), all_but=False)


def _addresses(text: str, name: str, unclear: list[str]) -> Spans:
    if text.lower() in _ANY:
        return {"any4": spans.V4, "any6": spans.V6}.get(text.lower(), ADDRESSES)
    try:
        if masked := _MASKED(text):
            return spans.joined([_masked(*masked.groups())])
        words = [word for word in _PARTS.split(text.replace("host ", "")) if word]
        return spans.joined(spans.address_span(word) for word in words)
    except ValueError:
        unclear.append(name)
        return ADDRESSES


def _masked(address: str, mask: str) -> tuple[int, int]:
    """An address with a mask or a wildcard mask; ones and zeros in one piece each."""
    return spans.address_span(str(ipaddress.IPv4Network(f"{address}/{mask}", strict=False)))


def _numbers(text: str, name: str, words: Mapping[str, int], whole: Spans, unclear: list[str]) -> Spans:
    if text.lower() in _ANY:
        return whole
    found = []
    try:
        for part in _PARTS.split(text.lower().removeprefix("eq ").replace("range ", "")):
            known = words.get(part)
            first, _, last = part.partition("-") if known is None else (str(known), "", "")
            ends = int(first), int(last or first)
            if not whole[0][0] <= ends[0] <= ends[1] <= whole[0][1]:
                raise ValueError
            found.append(ends)
    except ValueError:
        unclear.append(name)
        return whole
    return spans.joined(found)
