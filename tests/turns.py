"""Which cases of a long table run in `make test`: they take turns; `make test-long` runs all.

Over one argument that is every so manieth of its values. Over several, the values of one meet those of the others in turn: of
pages, themes and sizes each page runs once, and every theme and size on some of them. What is asked for alone, by its name, runs.
"""

from collections.abc import Sequence
from typing import Any

import pytest


class Turns:
    """Say of each case, in the order of the tests, whether it is one that `make test` runs."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[Any]] = {}

    def is_due(self, item: pytest.Function, every: int, *arguments: str) -> bool:
        """Count values from 0 as they come; due is what they sum to, over the arguments, by ``every``.

        Raises:
            KeyError: the test has no such argument.
        """
        test = item.nodeid.partition("[")[0]
        return sum(self._number(test, name, item.callspec.params[name]) for name in arguments) % every == 0

    def _number(self, test: str, name: str, value: Any) -> int:
        # pytest's own index of a value is that of the case where tables are multiplied.
        seen: Sequence[Any] = self._seen.setdefault((test, name), [])
        for number, one in enumerate(seen):
            if one is value:
                return number
        self._seen[test, name].append(value)
        return len(seen) - 1
