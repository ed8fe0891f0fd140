"""What is said of how a job's files were made: who says it, and what stands beside the output for files that cannot say it themselves.

Rules:
- It is the same for a job that goes on: when it says, is when the job began.
- What stands beside is searched like every file that was written; what holds something that is known does not stay.

Deliberately absent: what Provenance looks like (``protocols.fhir.provenance``), and files of other formats: HL7 v2 has no place for it,
DICOM says it in (0012,0062) to (0012,0064).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from oathward.core.labels import CLASSES
from oathward.deid.profile import Profile
from oathward.deid.tags import tags_of
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.provenance import Origin, provenances

BESIDE = "oathward-provenance.ndjson"


def origin_of(begun: Mapping[str, Any], profile: Profile) -> Origin:
    """Give what all files of a job have in common.

    Args:
        begun: the first frame of its workers.
    """
    pseudonyms = "PSEUDED" in (tags_of(profile, CLASSES) or ())
    return Origin(begun["program"], begun["project"], profile.name, begun["recorded"], pseudonyms)


def write(file: BinaryIO, origin: Origin, named: Mapping[str, str]) -> None:
    """Write what stands beside the output.

    Args:
        named: keyed name of a file -> the reference to the resource that it is.

    Raises:
        OSError: it cannot be written.
    """
    for name, reference in sorted(named.items()):
        file.writelines(dumps(one) + b"\n" for one in provenances(origin._replace(file=name), [reference]))
