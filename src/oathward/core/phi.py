"""Patient values in a wrapper that does not print.

Rules:
- A value read from a message travels as ``Phi[T]`` until it is shaped or sealed.
- ``repr``, ``str``, format specs, logging, ``dataclasses.asdict`` and pickling show ``[phi]``.
- ``reveal()`` is the one way out; a reviewer can search for it.

Deliberately absent: any protection against code that calls ``reveal()`` and prints the result.
"""

from __future__ import annotations

from typing import Generic, TypeVar, final

T = TypeVar("T")

MASK = "[phi]"


@final
class Phi(Generic[T]):
    """Hold one patient value so that it cannot be printed by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Give the value itself; the caller must not let it reach a log, an error or a URL."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phi) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Phi, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Phi[T]:
        return self

    def __deepcopy__(self, memo: object) -> Phi[T]:
        # asdict() deep-copies: the copy must stay wrapped.
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A pickle would carry the value to disk or another process: it carries the mask.
        return str, (MASK,)
