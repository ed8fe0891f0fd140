"""The keeper's client for jobs of de-identification: ``client.jobs``; see ``keeper/job_seeds``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What a job asks the keeper by: good for one person and project. ``device_key``: of the project's aliases and file names, 32 bytes."""

    device_key: bytes = field(repr=False)
    order: str = field(repr=False)
    _call: Callable[..., Any] = field(repr=False)

    def seed(self, subject: str) -> bytes:
        """Get the shaping seed of a patient in the project, 32 bytes; counted.

        Raises:
            KeeperError: ``KEY_DESTROYED``; or the person may run no job into the project any more, or the order is over.
        """
        [found] = self._call("job_seeds", order=self.order, patients=[subject])
        return base64.b64decode(found)


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
