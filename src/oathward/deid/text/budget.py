"""How much a text may cost: bytes and steps, counted, and where a caller gives it, ticks of the caller's clock.

Rules:
- What goes beyond raises ``deid.text-timeout``: never "nothing found".
- Steps grow with the text and what is found in it; they do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Budget:
    """What one text may cost.

    Args:
        text_bytes_max: as UTF-8.
        steps_max: stretches read, hits tried, words looked at.
        ticks: the caller's clock (any unit, never going back); asked now and then; None: no clock.
        ticks_max: how far it may move.
    """

    text_bytes_max: int = 4_194_304
    steps_max: int = 20_000_000
    ticks: Callable[[], float] | None = field(default=None, repr=False)
    ticks_max: float = 0.0


BUDGET = Budget()
_ASK_EVERY = 256


class Meter:
    """What one text has cost so far; raises as soon as that is more than its budget."""

    __slots__ = ("_asked", "_begun", "_budget", "_steps")

    def __init__(self, text: str, budget: Budget) -> None:
        self._budget = budget
        self._steps = 0
        self._asked = 0
        self._begun = budget.ticks() if budget.ticks else 0.0
        # A code point is at most 4 bytes: the exact count is asked for only where it matters.
        if (
            len(text) * 4 > budget.text_bytes_max
            and len(text.encode("utf-8", "surrogatepass")) > budget.text_bytes_max
        ):
            raise _spent("no more bytes than the budget")

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            DeidentificationError: ``deid.text-timeout``: more than the budget.
        """
        self._steps += steps
        if self._steps > self._budget.steps_max:
            raise _spent("no more steps than the budget")
        ticks = self._budget.ticks
        if ticks is not None and self._steps - self._asked >= _ASK_EVERY:
            self._asked = self._steps
            if ticks() - self._begun > self._budget.ticks_max:
                raise _spent("no more time than the budget")


def _spent(why: str) -> DeidentificationError:
    return DeidentificationError("text", why, reason=Reason.DEID_TEXT_TIMEOUT)
