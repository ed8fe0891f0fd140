"""The search of what a job wrote, by workers that read nothing else: what holds something that is known is taken back.

Rules:
- What could not be searched does not stay, nor does what is no longer the file that was written.
- It is taken away before it is noted: what is noted as taken back is not there.

Deliberately absent: what is known, and how it is looked for (``residue``).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from oathward.core.reasons import Reason
from oathward.deid.profile import Profile
from oathward.deidentifying import provenance
from oathward.deidentifying.answers import found_of, reference_of
from oathward.deidentifying.files import OF_A_FILE
from oathward.deidentifying.journal import Entry, Journal
from oathward.deidentifying.output import Output
from oathward.deidentifying.pool import Worker, Workers
from oathward.deidentifying.residue import BIRTHS, leaves_dates
from oathward.protocols.fhir.provenance import Origin

if TYPE_CHECKING:
    from oathward.deidentifying.job import Heard

_WORDS_MAX = 100_000
"""Told to a worker at once."""


class _Found(NamedTuple):
    """What a search came to. ``counts``: by class; None: it was not searched. ``reference``: what it is named by beside the output."""

    counts: Mapping[str, int] | None
    why: Reason = Reason.DEID_RESIDUE
    reference: str = ""


class _Searcher:
    """Searches files; each worker is told once what is known.

    Args:
        words: what is searched for in every file: hash in hexadecimal -> class.
    """

    def __init__(self, output: Output, words: Mapping[str, str]) -> None:
        listed = sorted(words.items())
        self._parts = [dict(listed[i : i + _WORDS_MAX]) for i in range(0, len(listed), _WORDS_MAX)] or [{}]
        self._output = output
        self._knowing: set[int] = set()

    def search(self, worker: Worker, one: Entry | str) -> _Found:
        """Search one file of the job, or what stands beside."""
        try:
            fd = self._output.opened(one)
            if fd is None:  # taken back just before the job was stopped
                return _Found(None)
            try:
                return self._asked(worker, one, fd)
            finally:
                os.close(fd)
        except OF_A_FILE as error:  # its successor knows nothing yet
            self._knowing.discard(id(worker))
            return _Found(None, error.reason)

    def _asked(self, worker: Worker, one: Entry | str, fd: int) -> _Found:
        if id(worker) not in self._knowing:
            for part in self._parts:
                worker.ask({"op": "known", "words": part})
            self._knowing.add(id(worker))
        kind, own = ("", {}) if isinstance(one, str) else (one.format, _births(one))
        answer = worker.ask({"op": "search", "format": kind, "own": own}, (fd,))
        return _Found(found_of(answer), reference=reference_of(answer))


def search(
    profile: Profile, journal: Journal, output: Output, workers: Workers, origin: Origin, heard: Heard
) -> dict[str, int]:
    """Search what was written, and take back what holds something that is known; gives counts by class.

    What cannot say itself how it was made is named beside it, and that is searched too.

    Raises:
        InputError: a folder of the output was replaced.
    """
    searcher = _Searcher(output, _of_all(profile, journal))
    written = [entry for _, entry in sorted(journal.entries.items()) if entry.written]
    remains: Counter[str] = Counter()
    named: dict[str, str] = {}
    answers = workers.map(searcher.search, written)
    for number, (entry, found) in enumerate(zip(written, answers, strict=True), 1):
        if found.counts != {}:
            output.remove(entry)
            held = [*entry.held, *([-1, found.why.code, cls] for cls in sorted(found.counts or ("file",)))]
            back = replace(entry, suffix="", bytes_out=0, held=held)
            journal.done([back])
            heard.done([back])
            remains.update(found.counts or {})
        elif found.reference:
            named[entry.name] = found.reference
        heard.say("search", number, len(written))
    output.remove(provenance.BESIDE)
    if named:
        with os.fdopen(output.created(provenance.BESIDE), "wb") as file:
            provenance.write(file, origin, named)
        for found in workers.map(searcher.search, [provenance.BESIDE]):
            if found.counts != {}:
                output.remove(provenance.BESIDE)
                remains.update(found.counts or {})
    return dict(remains)


def _of_all(profile: Profile, journal: Journal) -> dict[str, str]:
    """Give what is searched for in every file."""
    apart = leaves_dates(profile)
    told = (one for entry in journal.entries.values() for one in entry.words.items())
    return {word: cls for word, cls in told if not (apart and cls.endswith(BIRTHS))}


def _births(entry: Entry) -> dict[str, str]:
    return {word: cls for word, cls in entry.words.items() if cls.endswith(BIRTHS)}
