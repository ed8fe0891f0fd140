"""A job of de-identification: a folder in, what may leave of it out.

Rules:
- Files have the names that they have in the output; a path of the folder names patients and never stands here.
- A patient is a random id. What is held is a reason code and a place, never a value.
- Each figure is that of the job's report.

Deliberately absent: the files themselves, where they lie, what is searched for in them (the job's journal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Counts = Mapping[str, int]


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    STOPPED = "stopped"  # it did not end; the same command goes on
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a job did so far, by name.

    Args:
        formats: of each format files, written, held, units, units_held, bytes_in, bytes_out.
        removed, changed: values by class. reasons: files by why something of them is held.
        taken_back: values by class that the search of the output found.
        authorities: of identifiers that were not declared, and patients who may be two for it (``deidentifying.apart``).
    """

    formats: Mapping[str, Counts] = field(default_factory=dict)
    removed: Counts = field(default_factory=dict)
    changed: Counts = field(default_factory=dict)
    reasons: Counts = field(default_factory=dict)
    taken_back: Counts = field(default_factory=dict)
    authorities: Counts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Args:
        files: in the folder. done: of them, written or held. searched: of those written, afterwards.
        written, held, partly_held: files. patients: whose something was found; known: of them, those whom the site knew
            before the job began; bare: those of whom little more than a number left (``watching``). bytes_in, bytes_out: of what is done.
    """

    files: int = 0
    done: int = 0
    searched: int = 0
    written: int = 0
    held: int = 0
    partly_held: int = 0
    patients: int = 0
    known: int = 0
    bare: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job. ``by``: who runs it. ``ended_us`` 0: it did not end. ``updated_us``: when it was last heard of."""

    id: str
    profile: str
    project: str
    by: str
    begun_us: int
    updated_us: int
    ended_us: int = 0
    state: JobState = JobState.RUNNING
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class HeldItem:
    """Something that does not leave. ``file``: its name in the output; ``number``: of its items; ``unit``: -1 for the whole file."""

    job: str
    file: str
    number: int
    unit: int
    reason: str
    place: str


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A message, resource, image or text that left. ``subject``: empty where it names nobody."""

    job: str
    file: str
    unit: int
    subject: str


@dataclass(frozen=True, slots=True)
class FileDone:
    """What became of one file, or a part of that.

    Args:
        held: unit, reason code and place. units: those that left, and whose each is.
        start: number of the first held item; 0: all that was told of the file before is replaced.
    """

    name: str
    held: Sequence[tuple[int, str, str]] = ()
    units: Sequence[tuple[int, str]] = ()
    start: int = 0

    @property
    def size(self) -> int:
        """How many rows it changes."""
        return 1 + len(self.held) + len(self.units)


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Which jobs a list shows; empty or None: any."""

    state: JobState | None = None
    profile: str = ""
    project: str = ""
