"""Which cases of a long table run in `make test`: they take turns; `make test-long` runs all.

Over one argument that is every so manieth. Over several, each value of one meets the values of the others in turn: of pages,
themes and sizes each page runs once, and every theme and size on some of them.
"""

from collections.abc import Mapping


def is_due(indices: Mapping[str, int], every: int, *arguments: str) -> bool:
    """Say whether the case is one of ``every`` that `make test` runs.

    Args:
        indices: argument of the test -> which of its values this case has, from 0.
        arguments: those over which the cases take turns.

    Raises:
        KeyError: the test has no such argument.
    """
    return sum(indices[name] for name in arguments) % every == 0
