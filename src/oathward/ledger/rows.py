"""Check stored records one by one: leaf, canonical form, search columns, removals, facts, origins.

Nothing stored is believed: the leaf is computed again from salt and body, the columns from the body.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson

from oathward.core.reasons import Reason
from oathward.ledger import log, merkle, removal
from oathward.ledger.records import SALT_BYTES
from oathward.ledger.report import Problem
from oathward.ledger.sources import FactsRow, Row

_FACTS = re.compile(rb'"facts":(?:"([0-9a-f]{64})"|\[((?:"[0-9a-f]{64}",?)+)\])')
_FORM = {"at", "body", "kind", "links", "message", "subject"}
_SEEN_MAX = 200_000

Report = Callable[[Problem], None]
Checked = tuple[int, Mapping[str, Any]]
"""Index and decoded body of a sound record."""


class RowChecks:
    """Check rows in order and gather what only the whole run can judge.

    Invariant: ``claims[j, rule]`` are the removed rows below the current one that name record ``j`` as their removal.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.claims: dict[tuple[int, str], array[int]] = {}
        self.facts_claims: dict[tuple[int, str], list[bytes]] = {}
        self.removed: dict[str, int] = {}
        self.origins: list[tuple[int, str]] = []  # (first index of, name)
        self.restores: list[tuple[int, Mapping[str, Any]]] = []
        self.wanted_facts: dict[bytes, int] = {}  # digest -> record that names it; emptied by the caller
        self.facts_removals = 0
        self._seen_facts: set[bytes] = set()

    def check_block(self, rows: Sequence[Row], start: int) -> tuple[list[bytes], list[Checked]]:
        """Check the rows of a block up to the first that is missing; gives leaves and sound bodies."""
        leaves: list[bytes] = []
        decoded: list[Checked] = []
        for expected, row in enumerate(rows, start):
            if row.idx != expected or not _typed(row):
                break
            leaves.append(row.leaf)
            body = self.check(row)
            if body is not None:
                decoded.append((row.idx, body))
        return leaves, decoded

    def check(self, row: Row) -> Mapping[str, Any] | None:
        """Check one row; gives the decoded body if there is a sound one."""
        if row.body is None or row.rule is not None:
            self._check_removed(row)
            return None
        if row.salt is None or len(row.salt) != SALT_BYTES:
            self._bad(row.idx, "its salt is missing or has another length")
            return None
        if sha256(b"\x00" + row.salt + row.body).digest() != row.leaf:
            self._bad(row.idx, "its body or salt was changed: it does not hash to its leaf")
            return None
        if row.removed_by is not None:
            self._bad(row.idx, "it names a removal but still has its body")
        decoded = self._decode(row)
        if decoded is not None:
            if b'"facts":' in row.body:
                self._want_facts(row.idx, row.body)
            if decoded["kind"] in log.LASTING:
                self._lasting(row.idx, decoded)
        return decoded

    def check_facts(self, row: FactsRow) -> None:
        """Check one set of facts."""
        where = f"facts {row.digest.hex()[:16]}"
        if row.body is not None:
            if sha256(row.body).digest() != row.digest or row.rule is not None or row.removed_by is not None:
                self._report(
                    Problem(Reason.LEDGER_BROKEN, where, "was changed: it does not hash to its name")
                )
        elif row.rule is None or row.removed_by is None:
            self._report(Problem(Reason.LEDGER_BROKEN, where, "lost its body without a removal"))
        else:
            self.facts_claims.setdefault((row.removed_by, row.rule), []).append(row.digest)

    def check_removal(self, index: int, kind: str, body: Mapping[str, Any]) -> None:
        """Compare what a removal record says with the rows that name it."""
        claim = (index, str(body.get("rule")))
        if kind == log.REMOVED:
            agrees = body.get("ranges") == removal.to_ranges(self.claims.pop(claim, ()))
        else:  # facts come back when a later decision rests on the same: some of those stated may be there
            stated = body.get("digests")
            gone = {digest.hex() for digest in self.facts_claims.pop(claim, ())}
            agrees = isinstance(stated, list) and gone <= {str(digest) for digest in stated}
        if not agrees:
            self._bad(index, "what it says was removed is not what is missing")

    def leftovers(self) -> list[tuple[int, int | None]]:
        """Give what rows name as their removal and no record checked so far confirmed: removal, first row removed."""
        rows = [(index, gone[0]) for (index, _rule), gone in self.claims.items()]
        return sorted(
            [*rows, *((index, None) for index, _rule in self.facts_claims)], key=lambda left: left[0]
        )

    def _check_removed(self, row: Row) -> None:
        columns = (row.kind or "", row.at_us or 0, row.subject or "", row.message or "")
        if row.body is not None or row.rule is None or row.removed_by is None or row.salt is not None:
            self._bad(row.idx, "its body is missing without a removal")
        elif columns != ("", 0, "", ""):
            self._bad(row.idx, "its body was removed but its search columns were not")
        else:
            self.claims.setdefault((row.removed_by, row.rule), array("q")).append(row.idx)
            self.removed[row.rule] = self.removed.get(row.rule, 0) + 1

    def _decode(self, row: Row) -> Mapping[str, Any] | None:
        body = row.body or b""
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError:
            decoded = None
        if not isinstance(decoded, dict) or not _is_canonical(decoded, body):
            self._bad(row.idx, "its body is not in canonical form")
            return None
        columns = (decoded["kind"], decoded["at"], decoded["subject"], decoded["message"])
        if row.kind is not None and columns != row[1:5]:
            self._bad(row.idx, "a search column differs from its body")
        return decoded

    def _want_facts(self, idx: int, body: bytes) -> None:
        for one, several in _FACTS.findall(body):
            for text in (one,) if one else several.replace(b'"', b"").split(b","):
                digest = bytes.fromhex(text.decode())
                if digest not in self._seen_facts:
                    self.wanted_facts.setdefault(digest, idx)
                    self._seen_facts.add(digest)
        if len(self._seen_facts) > _SEEN_MAX:
            self._seen_facts.clear()

    def _lasting(self, idx: int, decoded: Mapping[str, Any]) -> None:
        kind, body = decoded["kind"], decoded["body"]
        if kind in (log.STARTED, log.RESTORED):
            self.origins.append((idx, str(body.get("origin"))))
            if kind == log.RESTORED:
                self.restores.append((idx, body))
        else:
            self.facts_removals += kind == log.FACTS_REMOVED
            self.check_removal(idx, kind, body)

    def _bad(self, idx: int, why: str) -> None:
        self._report(Problem(Reason.LEDGER_BROKEN, f"record {idx}", why, idx, idx))


def _is_canonical(decoded: dict[str, Any], body: bytes) -> bool:
    if decoded.keys() != _FORM or orjson.dumps(decoded, option=orjson.OPT_SORT_KEYS) != body:
        return False
    for link in decoded["links"] if type(decoded["links"]) is list else (None,):
        if type(link) is not str:
            return False
    return (
        type(decoded["at"]) is int
        and type(decoded["body"]) is dict
        and type(decoded["kind"]) is str
        and type(decoded["message"]) is str
        and type(decoded["subject"]) is str
    )


def _typed(row: Row) -> bool:
    """Say whether the bytes are bytes: SQLite lets a column hold anything."""
    return (
        type(row.leaf) is bytes
        and len(row.leaf) == merkle.HASH_BYTES
        and (row.salt is None or type(row.salt) is bytes)
        and (row.body is None or type(row.body) is bytes)
    )
