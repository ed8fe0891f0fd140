"""Whether a card that claims something is the device itself and no gateway, where the message does not say so. Pure; ``resolving`` asks it.

Rules:
- A list of the site has the claim and a host name, and nobody ever spoke as that row.
- The card gives that very name in the realm, and it claims for nobody else.
- Nothing else of both contradicts, and no person said that they are two.

What cannot be told: one that takes both name and serial of a device before that one ever spoke. It is told once the device does.
"""

from __future__ import annotations

from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.disputing import in_dispute, is_of_other_row
from oathward.endpoints.noting import contradict
from oathward.endpoints.picture import Known, Picture


def is_itself(picture: Picture, known: Known, speaker: Known, said: Statement) -> bool:
    """Whether ``speaker``, through which something was claimed, is ``known``, of which a list has it."""
    if not known.is_silent or known is speaker or not speaker.spoke_us or not known.values(MarkKind.TAG):
        return False
    others = picture.voices.get(speaker.id, 0) - (speaker.id in picture.relations.get(known.id, {}))
    if others > 0 or not _share_a_name(known, speaker, said.realm):
        return False
    return not (
        not picture.may_join
        or picture.are_apart(known, speaker)
        or contradict(known, speaker)
        or in_dispute(known, speaker)
        or is_of_other_row(picture, known, said)
    )


def _share_a_name(known: Known, speaker: Known, realm: str) -> bool:
    return any(key[1] == realm and key in speaker.marks for key, _ in known.values(MarkKind.HOST))
