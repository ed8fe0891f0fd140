"""All that is wrong with a bundle, at once.

A person who mends a bundle wants the whole list, each entry with file, line and what to write
instead; ``PolicyErrors`` carries it, in file and line order, as one ``PolicyError``.
"""

from __future__ import annotations

from collections.abc import Sequence

from oathward.core.errors import PolicyError


class PolicyErrors(PolicyError):  # noqa: N818  it is several of them
    """A bundle that cannot be used; ``errors`` says every reason, in file and line order.

    Raised by ``bundle.load`` only, after everything was looked at.
    """

    def __init__(self, errors: Sequence[PolicyError]) -> None:
        self.errors: tuple[PolicyError, ...] = tuple(sorted(errors, key=_place))
        first = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(first.where, f"{first.why}{more}")


def _place(error: PolicyError) -> tuple[str, int, str]:
    path, _, line = error.where.rpartition(":")
    return (path, int(line), error.why) if line.isdigit() else (error.where, 0, error.why)
