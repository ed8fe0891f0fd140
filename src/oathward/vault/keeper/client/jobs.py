"""The keeper's client for jobs of de-identification: ``client.jobs``; see ``keeper/job_seeds``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Proof = Mapping[str, str]
SEEDS_MAX = 256
"""Asked for at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a job asks the keeper by: good for one person and project. ``device_key``: of the project's aliases and file names, 32 bytes."""

    device_key: bytes = field(repr=False)
    order: str = field(repr=False)
    _call: Callable[..., Any] = field(repr=False)

    def seeds(self, subjects: Sequence[str]) -> list[bytes]:
        """Get the shaping seeds of patients in the project, 32 bytes each; counted.

        Args:
            subjects: at most ``SEEDS_MAX``.

        Raises:
            KeeperError: ``KEY_DESTROYED``, of one of them; or the person may run no job into the project any more, or the order is over.
        """
        found = self._call("job_seeds", order=self.order, patients=list(subjects))
        return [base64.b64decode(one) for one in found]


class Jobs:
    """Operations of a person who runs a job."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def begin(self, project: str, proof: Proof) -> Order:
        """Begin a job into a project, or go on with one.

        Raises:
            KeeperError: refused, with the reason; recorded.
        """
        found = self._call("job_begin", project=project, proof=dict(proof))
        return Order(base64.b64decode(found["device_key"]), found["order"], self._call)
