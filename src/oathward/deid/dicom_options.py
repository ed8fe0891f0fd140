"""The table ``[dicom]`` of a profile: which options of PS3.15 Annex E hold beside the basic profile.

Rules:
- ``options`` lists their codes (113101 to 113112); what is not listed does not hold.
- Two options that contradict each other are refused, and so is what nobody here can do.

Deliberately absent: what an option does to an attribute (``protocols/dicom/annex_e``).

Source: DICOM PS3.15 §E.3; PS3.16 CID 7050.
"""

from __future__ import annotations

from oathward.core.errors import PolicyError
from oathward.protocols.dicom import annex_e

UNSUPPORTED = frozenset({annex_e.CLEAN_RECOGNIZABLE_VISUAL_FEATURES})
"""Nobody here recognises a face in a reconstruction."""

_KEY = "options"


def parse_dicom(table: object, where: str) -> tuple[int, ...]:
    """Read the table.

    Args:
        table: of the profile; None where it has none.
        where: of the profile, for errors.

    Raises:
        PolicyError: unknown keys, codes that are no options, options that contradict each other or that nobody can do.
    """
    if table is None:
        return ()
    place = f"{where} dicom"
    if not isinstance(table, dict) or set(table) - {_KEY}:
        raise PolicyError(place, f"write a table [dicom] with {_KEY} = [113107, …]")
    options = table.get(_KEY, [])
    known = annex_e.MEANINGS.keys() - {annex_e.BASIC} - UNSUPPORTED
    if not isinstance(options, list) or not all(isinstance(code, int) and code in known for code in options):
        raise PolicyError(f"{place}.{_KEY}", f"write codes out of {', '.join(map(str, sorted(known)))}")
    if {annex_e.RETAIN_LONGITUDINAL_FULL_DATES, annex_e.RETAIN_LONGITUDINAL_MODIFIED_DATES} <= set(options):
        raise PolicyError(f"{place}.{_KEY}", "dates stay (113106) or move (113107), not both")
    return tuple(sorted(set(options)))
