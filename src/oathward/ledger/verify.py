"""Verify a ledger from what is stored alone, believing nothing that can be computed.

Steps, in one pass over the records in blocks of 4,096, memory bounded by one block, the checkpoints of one page and
one digest for each removed or lately seen set of facts:
1. each row: leaf from salt and body, canonical form, search columns, removals (``rows.py``)
2. the tree is grown from the leaves; every tile is compared with it
3. every checkpoint, and every note a witness or auditor holds: signature, origin, root at its size
4. the search index of each whole block is built again and compared
5. facts hash to their names, and none that a record names is missing
6. the head, the counts, and what lies beyond them

What each attack on the database yields (``tests/unit/ledger/test_verify_attacks.py`` does every one):

| attack | found by | what the report names |
|---|---|---|
| body, salt, leaf or a search column edited | 1 | the record |
| record deleted from the middle or the end | 1 | the first missing index |
| two records swapped whole, or a body, salt and leaf rewritten together | 2, told by 3 | the record, where its tile is as before |
| the same with every tile rewritten | 3 | from the last right checkpoint to the first wrong one |
| the same with head and later checkpoints removed, too | 3 with a note held outside | the same, or rollback |
| the same after the last checkpoint, everything rewritten | nothing: ``signed_size`` says how far proof goes | |
| tile edited or removed | 2, told by 3 | the tile; the records are right |
| head edited | 6 | the head |
| records, tiles, head and checkpoints cut back together | 3 with a note held outside | rollback: size had, size held |
| records and head cut back, checkpoints left | 3 | rollback |
| checkpoint edited, removed or forged | 3, 6 | the checkpoint's number |
| search index edited, removed or added to | 4 | the block |
| facts edited, removed | 5 | the facts; the record that names them |
| body removed without a removal record, or brought back after one | 1 | the record |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint, log, note, postings
from oathward.ledger.report import Problem, Report
from oathward.ledger.rows import RowChecks
from oathward.ledger.sources import DatabaseSource, Index, Source
from oathward.ledger.tree import TreeChecks

PROBLEMS_MAX = 100
"""After this many a run ends early: the ledger is broken, and the first index is known."""

Progress = Callable[[int, int], None]
"""Told how many records are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may have signed. Without a log key no checkpoint can count."""

    log: Sequence[note.Verifier] = ()
    witnesses: Sequence[note.Verifier] = ()


def verify_database(
    engine: Engine, site: str, keys: Keys, *, held: Sequence[str] = (), progress: Progress | None = None
) -> Report:
    """Verify a site's ledger in its database.

    Args:
        held: signed checkpoints that someone outside holds (a witness, an auditor): the ledger must contain them.
    """
    return verify(DatabaseSource(engine, site), keys, held=held, progress=progress)


def verify(
    source: Source, keys: Keys, *, held: Sequence[str] = (), progress: Progress | None = None
) -> Report:
    """Verify a ledger wherever it is read from."""
    return _Run(source, keys, held, progress or (lambda _done, _of: None)).report()


class _TooMany(Exception):  # noqa: N818  it ends a run, it is no error
    pass


class _Run:
    """One verification."""

    def __init__(self, source: Source, keys: Keys, held: Sequence[str], progress: Progress) -> None:
        self._source, self._keys, self._progress = source, keys, progress
        self._problems: list[Problem] = []
        self._shape = source.shape()
        self._rows = RowChecks(self._add)
        self._tree = TreeChecks(self._add, source.tiles)
        self._checkpoints = self._cosigned = self._unknown = 0
        self._signed_size = self._witnessed_size = 0
        self._rolled_back: list[tuple[checkpoint.Checkpoint, str]] = []
        self._held = sorted(self._read_held(held), key=lambda found: found.size)
        self._kept = self._read_kept()
        self._next_kept = next(self._kept, None)
        self._facts = self._facts_removed = 0

    def report(self) -> Report:
        try:
            self._check_facts()
            complete = self._check_records()
            if complete:
                self._check_ends()
        except _TooMany:
            pass
        self._judge_rollbacks()
        shape = self._shape
        return Report(
            ok=not self._problems,
            site=self._source.site,
            origin=self._origin_at(shape.size),
            size=shape.size,
            root=self._tree.root,
            problems=tuple(sorted(self._problems, key=_by_index)),
            checkpoints=self._checkpoints,
            cosigned=self._cosigned,
            signed_size=self._signed_size,
            witnessed_size=self._witnessed_size,
            unknown_signatures=self._unknown,
            removed=dict(sorted(self._rows.removed.items())),
            facts=self._facts,
            facts_removed=self._facts_removed,
            lost=tuple(self._lost()),
        )

    # --- records, tree, index

    def _check_records(self) -> bool:
        """Go through all blocks; False when the sequence broke and nothing after it can be judged."""
        size, source = self._shape.size, self._source
        indexed = source.index.indexed() if source.index else 0
        self._check_marks()
        for start in range(0, size, postings.BLOCK):
            stop = min(start + postings.BLOCK, size)
            with postings.collector_paused():
                built = self._check_rows(start, stop)
            if self._tree.size < stop:
                gap = self._tree.size
                self._add(Problem(Reason.LEDGER_BROKEN, f"record {gap}", "is missing", gap, gap))
                return False
            if source.index and stop <= indexed:
                self._check_block(source.index, start, built)
            self._progress(stop, size)
        if source.index:
            self._check_index_end(source.index, indexed)
        return True

    def _check_rows(self, start: int, stop: int) -> dict[str, bytes]:
        """Check the rows of a block and grow the tree; gives the postings they make."""
        leaves, decoded = self._rows.check_block(self._source.rows(start, stop), start)
        self._grow(leaves)
        self._check_named_facts()
        return postings.build(decoded) if self._source.index else {}

    def _grow(self, leaves: Sequence[bytes]) -> None:
        """Grow the tree, stopping at every size that someone signed."""
        at = 0
        while at < len(leaves):
            mark = self._next_mark()
            take = len(leaves) - at if mark is None else min(len(leaves) - at, mark - self._tree.size)
            self._tree.grow(leaves[at : at + take])
            at += take
            self._check_marks()

    def _check_block(self, index: Index, start: int, built: dict[str, bytes]) -> None:
        block = start // postings.BLOCK
        for _ in range(3):  # a removal between the two reads looks like a difference: read both again
            if built == index.postings(block):
                return
            rows = self._source.rows(start, start + postings.BLOCK)
            _, decoded = RowChecks(lambda _problem: None).check_block(rows, start)
            built = postings.build(decoded)
        last = start + postings.BLOCK - 1
        why = f"the search index of records {start} to {last} was changed"
        self._add(Problem(Reason.LEDGER_BROKEN, f"index block {block}", why))

    def _check_index_end(self, index: Index, indexed: int) -> None:
        if indexed % postings.BLOCK or not 0 <= indexed <= self._source.shape().size:
            why = "its position is not one the ledger can have"
            self._add(Problem(Reason.LEDGER_BROKEN, "index", why))
        elif index.blocks_beyond(indexed // postings.BLOCK) and index.indexed() == indexed:
            self._add(Problem(Reason.LEDGER_BROKEN, "index", "has blocks beyond its position"))

    # --- checkpoints

    def _read_kept(self) -> Iterator[tuple[checkpoint.Checkpoint, str]]:
        """Give the kept checkpoints that are sound, in order of size."""
        count, size = 0, 0
        for kept in self._source.checkpoints():
            where = f"checkpoint {kept.seq}"
            if kept.seq != count:
                self._add(Problem(Reason.LEDGER_BROKEN, f"checkpoint {count}", "is missing"))
                count = kept.seq
            count += 1
            try:
                found = self._read_note(kept.note, where)
            except AuthorityError as error:
                self._add(Problem(Reason.LEDGER_BROKEN, where, error.why))
                continue
            if found.size != kept.size or found.size < size:
                self._add(Problem(Reason.LEDGER_BROKEN, where, "does not stand where its size belongs"))
                continue
            size = found.size
            yield found, where
        if not self._shape.checkpoints <= count <= self._source.shape().checkpoints:
            why = f"{count} checkpoints are kept, the head says {self._shape.checkpoints}"
            self._add(Problem(Reason.LEDGER_BROKEN, "checkpoints", why))

    def _read_note(self, signed: str, where: str) -> checkpoint.Checkpoint:
        if not self._keys.log:
            text, _ = note.split(signed, where)
            return checkpoint.parse(text, where)
        found = checkpoint.read_note(signed, self._keys.log, where)
        self._checkpoints += 1
        self._count_cosignatures(signed, found, where)
        return found

    def _count_cosignatures(self, signed: str, found: checkpoint.Checkpoint, where: str) -> None:
        text, signatures = note.split(signed, where)
        known = {(k.name, note.key_id(k.name, k.public)) for k in self._keys.log}
        for key in self._keys.witnesses:
            identity = (key.name, note.key_id(key.name, key.public, note.COSIGNATURE))
            known.add(identity)
            if any((s.name, s.key_id) == identity for s in signatures):
                note.check_cosignature(text, signatures, key, where)
                self._cosigned += 1
                self._witnessed_size = max(self._witnessed_size, found.size)
        unknown = [s for s in signatures if (s.name, s.key_id) not in known]
        self._unknown += len(unknown)
        if unknown and self._keys.witnesses:
            raise AuthorityError(where, "has a signature of an unknown key")

    def _read_held(self, held: Sequence[str]) -> Iterator[checkpoint.Checkpoint]:
        for number, signed in enumerate(held):
            where = f"held checkpoint {number}"
            try:
                text, _ = note.split(signed, where)
                yield checkpoint.parse(note.check(signed, self._keys.log, where), where)
            except AuthorityError as error:
                self._add(Problem(error.reason, where, error.why))
            else:
                assert text

    def _next_mark(self) -> int | None:
        sizes = [self._next_kept[0].size] if self._next_kept else []
        sizes += [found.size for found in self._held[:1]]
        return min(sizes, default=None)

    def _check_marks(self) -> None:
        """Compare with every checkpoint of the size the tree has now."""
        while self._next_kept and self._next_kept[0].size <= self._tree.size:
            self._check_mark(*self._next_kept, signed=bool(self._keys.log))
            self._next_kept = next(self._kept, None)
        while self._held and self._held[0].size <= self._tree.size:
            self._check_mark(self._held.pop(0), "a checkpoint held outside", signed=True)

    def _check_mark(self, found: checkpoint.Checkpoint, where: str, *, signed: bool) -> None:
        origin = self._origin_at(found.size)
        if found.origin != origin:
            self._add(Problem(Reason.LEDGER_FORKED, where, "is of another log"))
        elif self._tree.check_root(found.root, where) and signed:
            self._signed_size = max(self._signed_size, found.size)

    # --- ends

    def _check_ends(self) -> None:
        shape, tree = self._shape, self._tree
        tree.finish(lambda: self._source.shape().size)
        if shape.frontier is not None and shape.frontier != tree.packed_frontier:
            self._add(Problem(Reason.LEDGER_BROKEN, "head", "does not belong to the records"))
        if shape.first_index < 0:
            self._add(Problem(Reason.LEDGER_BROKEN, "record", "stands before the first", 0, 0))
        if shape.last_index >= shape.size:
            first = shape.size
            why = "stands beyond the head"
            self._add(Problem(Reason.LEDGER_BROKEN, f"record {first}", why, first, shape.last_index))
        if shape.tiles is not None and shape.tiles != tree.tiles:
            why = f"{shape.tiles} tiles are stored, the records make {tree.tiles}"
            self._add(Problem(Reason.LEDGER_BROKEN, "tiles", why))
        if shape.origin is not None and shape.origin != self._origin_at(shape.size):
            self._add(Problem(Reason.LEDGER_BROKEN, "head", "names another origin than the records"))
        if shape.facts_removals not in (None, self._rows.facts_removals):
            why = "counts other removals of facts than the records"
            self._add(Problem(Reason.LEDGER_BROKEN, "head", why))
        self._check_late_removals()
        beyond = [self._next_kept] if self._next_kept else []
        beyond += [*self._kept, *((found, "a checkpoint held outside") for found in self._held)]
        now = self._source.shape().size  # it may have grown while we read
        self._rolled_back = [one for one in beyond if one[0].size > now]

    def _check_late_removals(self) -> None:
        """Judge removals whose record came after this run's size: they happened while it ran."""
        for index, first in self._rows.leftovers():
            rows = self._source.rows(index, index + 1) if index >= self._shape.size else []
            _, decoded = self._rows.check_block(rows, index)
            if not decoded or decoded[0][1]["kind"] not in log.REMOVALS:
                where = "facts" if first is None else f"record {first}"
                why = "was removed, but no record says so"
                self._add(Problem(Reason.LEDGER_BROKEN, where, why, first, first))

    def _judge_rollbacks(self) -> None:
        for found, where in self._rolled_back:
            if not any(_covers(body, found) for body in self._declared()):
                size = self._shape.size
                why = f"it signs {found.size} records, the ledger has {size}: it was cut back"
                last = found.size - 1
                self._add(Problem(Reason.LEDGER_ROLLED_BACK, where, why, size, last), final=True)

    def _declared(self) -> list[Mapping[str, Any]]:
        """Give the declared restores that a checkpoint of the new origin confirms."""
        return [body for index, body in self._rows.restores if index < self._signed_size]

    def _lost(self) -> Iterator[tuple[int, int]]:
        for body in self._declared():
            missing = body.get("missing")
            if isinstance(missing, list) and len(missing) == 2:
                yield missing[0], missing[1]

    # --- facts

    def _check_facts(self) -> None:
        for row in self._source.facts():
            self._facts += row.body is not None
            self._facts_removed += row.body is None
            self._rows.check_facts(row)

    def _check_named_facts(self) -> None:
        wanted = self._rows.wanted_facts
        for digest in wanted.keys() - self._source.known_facts(wanted):
            index = wanted[digest]
            where = f"facts {digest.hex()[:16]}"
            why = f"are missing, but record {index} names them"
            self._add(Problem(Reason.LEDGER_BROKEN, where, why, index, index))
        wanted.clear()

    # --- common

    def _origin_at(self, size: int) -> str:
        """Give the origin of a checkpoint of this size: the last one named by a record below it."""
        named = [name for index, name in self._rows.origins if index < size]
        return named[-1] if named else log.default_origin(self._source.site)

    def _add(self, problem: Problem, *, final: bool = False) -> None:
        self._problems.append(problem)
        if len(self._problems) >= PROBLEMS_MAX and not final:
            raise _TooMany


def _covers(restore: Mapping[str, Any], found: checkpoint.Checkpoint) -> bool:
    size = restore.get("old_size")
    return restore.get("old_origin") == found.origin and isinstance(size, int) and size >= found.size


def _by_index(problem: Problem) -> tuple[int, int]:
    return (0, problem.first) if problem.first is not None else (1, 0)
