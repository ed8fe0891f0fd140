"""What a trace tells: ids, codes and times; no value, and no path but where somebody gave the folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Came:
    """A message as it came. ``state``, ``reason``: empty where its row was forgotten."""

    message: str
    at: datetime
    device: str
    type: str
    subjects: tuple[str, ...]
    state: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Went:
    """What was decided of a message, or a part of it, on one link.

    Args:
        word: permit, deny, held, indeterminate. outgoing: id of the delivery, as its recipient sees it.
        state: delivered, set aside, given up, withdrawn; pending, blocked, dead; kept, of the link by which
            Oathward itself keeps the original; empty: nothing is known of it any more.
        state_at: None while it waits.
    """

    message: str
    subject: str
    link: str
    recipient: str
    purpose: str
    word: str
    reasons: tuple[str, ...]
    outgoing: str
    decided: datetime
    bundle: str
    state: str
    state_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Something of a file that did not leave. ``unit``: -1 for the whole file; ``reason``: a code."""

    unit: int
    reason: str
    place: str


@dataclass(frozen=True, slots=True)
class Filed:
    """A file that a job wrote or held.

    Args:
        file: keyed name in the output. units: how many of it are of the patient asked about, or left.
        source: below the folder that was given; empty where it was not looked for, or is not there.
    """

    job: str
    file: str
    profile: str
    project: str
    by: str
    begun: datetime | None
    state: str
    units: int
    subjects: tuple[str, ...]
    source: str = ""
    held: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a message, or all of a patient, went. ``whole``: there is no more than is shown."""

    subjects: tuple[str, ...]
    came: list[Came]
    went: list[Went]
    files: list[Filed]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Back:
    """What something came from.

    Args:
        before: index of the record to go on before; 0: all were looked through, or all was found.
        not_looked: ids that were asked for and not looked for: too many at once.
    """

    asked: tuple[str, ...]
    came: list[Came]
    went: list[Went]
    notices: list[int]
    files: list[Filed]
    before: int = 0
    not_looked: int = 0
