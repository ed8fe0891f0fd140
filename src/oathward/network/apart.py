"""Plans and rules parsed in a process of their own, which can do nothing else (``core.parsing``): ``python -m oathward.network.apart FD``.

Rules:
- What the child says is read by its types, bounded; a row of a plan is checked here as the row of a file is.
- Rules are few answers of many rules each, chain by chain.

Deliberately absent: what becomes of them.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from oathward.core import checked
from oathward.core.errors import InputError
from oathward.core.parsing import Files, Parser, held, odd, printable, serve, too_much
from oathward.core.reasons import Reason
from oathward.network import plan
from oathward.network.model import PlanRow
from oathward.network.plan import Checked, Mistake
from oathward.network.rules import acl, nft
from oathward.network.rules.model import Chain, Match, Rule, Ruleset
from oathward.network.rules.spans import Spans

MODULE = "oathward.network.apart"
RULES_BYTES_MAX = acl.SIZE_BYTES_MAX
ANSWERS_BYTES_MAX = 512 << 20
MEMORY_BYTES_MAX = 4 << 30
"""Address space: 200,000 rules of nftables took 1.4 GB."""
_ROWS = 1_000
ROWS_MAX = 1_000_000
"""Of all that is said of one file: more than any may have."""
_BOUNDS: Mapping[str, int] = {"memory_bytes_max": MEMORY_BYTES_MAX, "bytes_max": ANSWERS_BYTES_MAX}
_SPANS = 2_000
"""So many spans of its rules are one answer, or one rule that has more."""

_ROW = checked.reader(PlanRow, printable)
_MISTAKE = checked.reader(Mistake, printable)
_CHAIN = checked.reader(Chain)
_RULE = checked.reader(Rule)
_UNCLEAR = checked.reader(tuple[str, ...])


def read_plan(content: bytes, name: str, realm: str, zones: Collection[str] = ()) -> Checked:
    """Read a plan. As ``plan.parse``.

    Raises:
        InputError: as ``plan.parse``. SandboxError, ParserError: of ``Parser``.
    """
    asked = {"what": "plan", "name": name, "realm": realm, "zones": sorted(zones)}
    rows, mistakes, inside = list[PlanRow](), list[Mistake](), list[tuple[int, int]]()
    with held(content) as fd, Parser(MODULE, asked, [(name, fd)], **_BOUNDS) as parser:
        for answer in _bounded(parser):
            try:
                rows += [_row(one, zones) for one in answer.get("rows", ())]
                mistakes += [_MISTAKE(one) for one in answer.get("mistakes", ())]
                inside += [_pair(one) for one in answer.get("inside", ())]
            except (TypeError, ValueError) as error:
                raise odd() from error
    if any(max(pair) >= len(rows) for pair in inside):
        raise odd()
    return Checked(tuple(rows), tuple(mistakes), tuple((rows[one], rows[other]) for one, other in inside))


def read_rules(content: bytes, columns: Mapping[str, str]) -> Ruleset:
    """Read rules: nftables as text or JSON, or CSV where columns are named.

    Raises:
        InputError: it is neither, or holds no rules. SandboxError, ParserError: of ``Parser``.
    """
    asked = {"what": "rules", "columns": dict(columns)}
    chains, rules = dict[str, Chain](), dict[str, list[Rule]]()
    unclear: tuple[str, ...] = ()
    with held(content) as fd, Parser(MODULE, asked, [("rules", fd)], **_BOUNDS) as parser:
        for answer in _bounded(parser):
            try:
                unclear += _UNCLEAR(answer.get("unclear", []))
                if "chain" in answer:
                    name, chain = _UNCLEAR([answer["name"]])[0], _CHAIN(answer["chain"])
                    chains[name], rules[name] = chain, []
                for one in answer.get("rules", ()):
                    rules[name].append(_RULE(one))  # of the chain before
            except (KeyError, NameError, TypeError, ValueError) as error:
                raise odd() from error
    return Ruleset({name: replace(one, rules=tuple(rules[name])) for name, one in chains.items()}, unclear)


def _bounded(answers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    left = ROWS_MAX
    for answer in answers:
        left -= 1 + sum(len(value) for value in answer.values() if isinstance(value, list))
        if left < 0:
            raise too_much()
        yield answer


def _row(sent: Any, zones: Collection[str]) -> PlanRow:
    row: PlanRow = _ROW(sent)
    if plan.checked(row, zones) != row:
        raise ValueError("row")
    return row


def _pair(sent: Any) -> tuple[int, int]:
    one, other = sent
    if not (isinstance(one, int) and isinstance(other, int) and one >= 0 and other >= 0):
        raise ValueError("pair")
    return one, other


def work(told: dict[str, Any], files: Files) -> Iterator[dict[str, Any]]:
    """Be the child: read one file as a plan, or as rules."""
    _, file = next(files)
    content = file.readall()
    if told["what"] == "plan":
        yield from _plan(plan.parse(content, told["name"], told["realm"], told["zones"]))
    else:
        columns = told["columns"]
        yield from _rules(acl.read(content, columns) if columns else nft.read(content))


def _plan(found: Checked) -> Iterator[dict[str, Any]]:
    at = {id(row): number for number, row in enumerate(found.rows)}
    yield from _each("rows", found.rows)
    yield from _each("mistakes", found.mistakes)
    yield from _each("inside", [[at[id(one)], at[id(other)]] for one, other in found.inside])


def _each(name: str, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for at in range(0, len(rows), _ROWS):
        yield {name: [checked.plain(one) for one in rows[at : at + _ROWS]]}


def _rules(found: Ruleset) -> Iterator[dict[str, Any]]:
    if not found.chains:
        why = "holds no rules as `nft list ruleset` writes them; of a CSV say with --column which column is what"
        raise InputError("rules", why, reason=Reason.FORMAT_UNSUPPORTED)
    yield {"unclear": list(found.unclear)}
    for name, chain in found.chains.items():
        yield {"name": name, "chain": checked.plain(replace(chain, rules=()))}
        some: list[Any] = []
        weight = 0
        for rule in chain.rules:
            some.append(checked.plain(rule))
            weight += 1 + sum(len(part) for branch in rule.branches for part in _spans(branch.match))
            if weight >= _SPANS:
                yield {"rules": some}
                some, weight = [], 0
        yield {"rules": some}


def _spans(match: Match) -> tuple[Spans, ...]:
    return match.sources, match.destinations, match.protocols, match.source_ports, match.ports


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], lambda: None, work))
