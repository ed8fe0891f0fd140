"""Dry runs that a page began: each on a thread of its own, while the page shows how far it is.

Rules:
- One at a time in this process: it takes a processor, and people's pages need one too.
- What it found stands with the proposal; here is only how far it is, and why it stopped.

Deliberately absent: ending one by hand; a proposal that is withdrawn needs none, and it ends by itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward import proposing
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

_KEPT_MAX = 200


@dataclass(slots=True)
class Trial:
    """How far one is. ``why``: why it stopped before its end; empty while it runs and when it is done."""

    done: int = 0
    total: int = 0
    running: bool = True
    why: str = ""


_guard = threading.Lock()
_known: dict[tuple[str, str], Trial] = {}


def begin(site: Opened, id_: str, by: str, *, days: int) -> threading.Thread:
    """Begin one for a proposal.

    Raises:
        InputError: ``conflict``: one runs already.
    """
    with _guard:
        if any(trial.running for trial in _known.values()):
            why = "another one runs; wait until it is done"
            raise InputError("dry run", why, reason=Reason.CONFLICT)
        if len(_known) >= _KEPT_MAX:
            _known.clear()
        trial = _known[str(site.settings.data), id_] = Trial()
    thread = threading.Thread(target=_run, args=(site, id_, by, days, trial), name="dry-run", daemon=True)
    thread.start()
    return thread


def state(site: Opened, id_: str) -> Trial | None:
    """Say how far the one of a proposal is; nothing where none was begun since this process started."""
    return _known.get((str(site.settings.data), id_))


def _run(site: Opened, id_: str, by: str, days: int, trial: Trial) -> None:
    def progress(done: int, total: int) -> bool:
        trial.done, trial.total = done, total
        return True

    try:
        proposing.try_out(site, id_, by, days=days, progress=progress)
    except OathwardError as error:
        trial.why = f"{error.where}: {error.why}" if error.why else error.reason.code
    finally:
        trial.running = False
