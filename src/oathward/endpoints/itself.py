"""Whether a card that claims something is the device itself and no gateway, where the message does not say so. Pure; ``resolving`` asks it.

Rules:
- A list of the site has the claim and a host name, and nobody ever spoke as that row, or for it: whose gateway was heard may be docked.
- The card gives that very name in the realm, and it claims for nobody else.
- Nothing else of both contradicts, and no person said that they are two.
- Another card that gives name and claim as well, before the first was silent for ``REPLACED_AFTER_US``, is a conflict.

What cannot be told: one that takes both name and serial of a device before that one was ever heard. It is told once the device gives both itself,
unless the first was silent for a day by then (that is a replacement); a device heard through its gateway alone from then on may be docked.
"""

from __future__ import annotations

from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.disputing import in_dispute, is_of_other_row
from oathward.endpoints.marks import Sorted
from oathward.endpoints.noting import contradict
from oathward.endpoints.picture import REPLACED_AFTER_US, Known, Picture
from oathward.endpoints.twice import is_one_box


def is_itself(picture: Picture, known: Known, speaker: Known, said: Statement) -> bool:
    """Whether ``speaker``, through which something was claimed, is ``known``, of which a list has it."""
    if not known.is_silent or not speaker.spoke_us or not _may_be(picture, known, speaker, said):
        return False
    if picture.relations.get(known.id, {}).keys() - {speaker.id, known.id}:
        return False
    return not (
        not picture.may_join
        or picture.are_apart(known, speaker)
        or contradict(known, speaker)
        or in_dispute(known, speaker)
        or is_of_other_row(picture, known, said)
    )


def check_another(picture: Picture, known: Known, speaker: Known, said: Statement, marks: Sorted) -> None:
    """Find a second card that gives name and claim of one that spoke itself."""
    if known.is_silent or not marks.claims or not _may_be(picture, known, speaker, said):
        return
    if speaker.began_us - known.spoke_us < REPLACED_AFTER_US and not is_one_box(known, speaker):
        picture.conflict(known, speaker, marks.claims[0].kind, said.at_us)


def _may_be(picture: Picture, known: Known, speaker: Known, said: Statement) -> bool:
    """Whether somebody gives the name that a list has of another, and claims for nobody else."""
    if known is speaker or not known.values(MarkKind.TAG):
        return False
    others = picture.voices.get(speaker.id, 0) - (speaker.id in picture.relations.get(known.id, {}))
    return others <= 0 and any(
        key[1] == said.realm and key in speaker.marks for key, _ in known.values(MarkKind.HOST)
    )
