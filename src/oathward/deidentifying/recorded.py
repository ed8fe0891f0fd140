"""What a job does, told to the context of jobs: for whoever looks at its page, and for tracing what left.

Rules:
- That it begins is on record before anything is written; that it ended, before its journal says so.
- What became of files is told once it is in the journal; a job that goes on tells all of it again, so nothing is missing after a kill.
- Of a unit that did not leave only why is told, not whose it is.
- While it runs it says so every few seconds; when it stops with an error, it says that.

Deliberately absent: paths and values; who may; the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.errors import OathwardError
from oathward.core.ids import made_ms
from oathward.deidentifying.job import Done, Heard
from oathward.deidentifying.sums import Sums
from oathward.jobs import actions
from oathward.jobs.model import Figures, FileDone, JobRow, Progress
from oathward.jobs.watching import is_bare

if TYPE_CHECKING:
    from types import TracebackType

    from oathward.deidentifying.job import Say
    from oathward.deidentifying.journal import Entry
    from oathward.vault.opened import Opened

BEAT_US = 5_000_000
_PART = actions.ROWS_MAX // 4


class Recorded:
    """The record of one job while it runs; as a context, it notes a stop where it is left by an error.

    Args:
        by: who runs it. say: is told too how far it is. look: called once the job is on record, and when it has stopped or
            ended: what of it somebody else should look at.
    """

    def __init__(
        self,
        site: Opened,
        profile: str,
        project: str,
        by: str,
        say: Say = lambda *_: None,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self._site, self._say, self._look = site, say, look
        self._terms = (profile, project, by)
        self._id = ""
        self._files = self._searched = self._told_us = 0
        self._sums = Sums()
        self._entries: dict[str, Entry] = {}
        self._patients: dict[str, list[int]] = {}  # bytes that came and left of each
        self._known = self._bare = self._begun_ms = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or not self._id:
            return
        with suppress(OathwardError):  # it would hide why; one that says nothing counts as stopped
            with write(self._site.engine) as db:
                actions.stop(db, self._site.site, self._id, now_us=self._now_us())
            self._look()

    @property
    def heard(self) -> Heard:
        """What the job is to call."""
        return Heard(self._begun, self._done, self._step, self._beat)

    def ended(self, done: Done) -> None:
        """Note that the job ended."""
        with write(self._site.engine) as db:
            progress = self._progress(done)
            actions.end(db, self._site.site, self._id, progress, now_us=self._now_us())
        self._look()

    def _begun(self, id_: str, files: int, earlier: Sequence[Entry]) -> None:
        self._files, now_us = files, self._now_us()
        with write(self._site.engine) as db:
            row = JobRow(id_, *self._terms, now_us, now_us, progress=Progress(files))
            self._begun_ms = actions.begin(db, self._site.site, row).begun_us // 1_000
        self._id = id_
        self._done(earlier)
        self._look()

    def _done(self, entries: Sequence[Entry]) -> None:
        for one in entries:
            before = self._entries.get(one.name)
            self._sums.add(one, before)
            if before is not None:
                self._weigh(before, -1)
            self._weigh(one, 1)
            self._entries[one.name] = one
        for batch in _batches(entries):
            self._advance(batch)

    def _weigh(self, one: Entry, sign: int) -> None:
        """Count what came and left of each patient of a file: its bytes in equal parts."""
        for subject in one.subjects:
            known = self._patients.get(subject)
            if known is None:
                known = self._patients[subject] = [0, 0]
                self._known += made_ms(subject) < self._begun_ms
            self._bare -= is_bare(*known)
            if one.written:
                known[0] += sign * (one.bytes_in // len(one.subjects))
                known[1] += sign * (one.bytes_out // len(one.subjects))
            self._bare += is_bare(*known)

    def _step(self, step: str, done: int, of: int) -> None:
        self._say(step, done, of)
        if step == "search":
            self._searched = done
        self._beat()

    def _beat(self) -> None:
        if self._now_us() - self._told_us >= BEAT_US:
            self._advance(())

    def _advance(self, batch: Sequence[FileDone]) -> None:
        self._told_us = self._now_us()
        with write(self._site.engine) as db:
            actions.advance(db, self._site.site, self._id, self._progress(), batch, now_us=self._told_us)

    def _progress(self, done: Done | None = None) -> Progress:
        sums = self._sums
        figures = Figures(
            formats={name: dict(row) for name, row in sums.formats.items()},
            removed=dict(+sums.removed),
            changed=dict(+sums.changed),
            reasons=dict(+sums.reasons),
            taken_back=dict(done.residue) if done else {},
            authorities=dict(done.authorities) if done else {},
        )
        return Progress(
            files=self._files,
            done=sums.files["files"],
            searched=self._searched,
            written=sums.files["written"],
            held=sums.files["held"],
            partly_held=sums.files["partly_held"],
            patients=len(self._patients),
            known=self._known,
            bare=self._bare,
            bytes_in=sum(row["bytes_in"] for row in sums.formats.values()),
            bytes_out=sum(row["bytes_out"] for row in sums.formats.values()),
            figures=figures,
        )

    def _now_us(self) -> int:
        return micros(self._site.clock.now())


def _batches(entries: Sequence[Entry]) -> Iterator[list[FileDone]]:
    """Give what became of files in parts that one transaction takes."""
    batch: list[FileDone] = []
    size = 0
    for part in (part for one in entries for part in _parts(one)):
        if batch and size + part.size > actions.ROWS_MAX:
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += part.size
    if batch:
        yield batch


def _parts(one: Entry) -> Iterator[FileDone]:
    """Give what became of one file, in several parts where it has more units than one transaction takes."""
    held = [(unit, code, where) for unit, code, where in one.held]
    kept = {unit for unit, *_ in held}
    units = [
        (unit, one.subjects[place] if place >= 0 else "")
        for unit, place in enumerate(one.whose if one.written else ())
        if unit not in kept
    ]
    for start in range(0, max(len(held), len(units), 1), _PART):
        yield FileDone(one.name, held[start : start + _PART], units[start : start + _PART], start)
