"""Whose a pseudonym of a project is: every patient with keys is asked for theirs, inside the keeper.

Rules:
- No seed leaves: names are made and compared here. A page of subjects at a time, so that nobody else waits for a search.
- An erased patient has no seed and is met nowhere; so is who never was.
- A name without a shape (80 bits) is one person's. A name in the shape of a number is one of few, and by chance another
  patient's too: there it counts only for whom something of the project is on record (``Register.named_in``).
- Every number of a merged patient has a name, whatever the project says of merges: its subject keeps its seed.

Deliberately absent: names that hang on a value (UIDs, accession numbers): from the seed alone nobody can tell them.
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.vault.keeper import subjects
from oathward.vault.keeper.keeper import Keeper

PAGE = 500


def whose(keeper: Keeper, project: str, pseudonym: str) -> list[str]:
    """Give the subjects a pseudonym can be of: none, one, or several where it is in a shape of few names.

    Raises:
        StorageError, AuthorityError: what is on record of the project cannot be read.
    """
    from oathward.deid.action import TOKEN_LENGTH
    from oathward.deid.actions.pseudonym import is_of, may_be_of

    if len(pseudonym) == TOKEN_LENGTH:
        found = next((one for one, seed in _seeds(keeper, project) if is_of(pseudonym, seed)), "")
        if found:
            return [found]
    likely = [one for one, seed in _seeds(keeper, project) if may_be_of(pseudonym, seed)]
    if not likely or keeper.register is None:
        return []
    return sorted(keeper.register.named_in(keeper, project, likely))


def _seeds(keeper: Keeper, project: str) -> Iterator[tuple[str, bytes]]:
    after = ""
    while page := subjects.seeds_after(keeper.store, keeper.site, project, after, PAGE):
        yield from page
        after = page[-1][0]
