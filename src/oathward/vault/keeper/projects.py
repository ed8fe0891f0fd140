"""Projects of the policy in force, as the keeper reads them: which there are, who may run jobs into one, which a live link uses.

Rules:
- What is read was checked before it was signed; it is read anew when another bundle is in force, within a second.
- Without a policy in force there are no declared projects, and any name is one.

Deliberately absent: seeds (``subjects``), and everything else of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from oathward.core.errors import AuthorityError, KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy import parts
from oathward.policy.files import unpack
from oathward.policy.model import Project
from oathward.policy.reading import Document, Section, near
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper

AGE_S_MAX = 1.0
"""So long what is asked for each patient is not read anew."""

_PROJECTS, _LINKS = "projects.toml", "links/"


@dataclass(frozen=True, slots=True)
class Projects:
    """Declared projects by id, and the ids of those that a link uses."""

    declared: Mapping[str, Project]
    linked: frozenset[str]

    def for_jobs_alone(self, project: str) -> bool:
        """Say whether a project names who runs jobs into it, and nothing else writes into it."""
        found = self.declared.get(project)
        return found is not None and bool(found.released_by) and project not in self.linked


class Looked(NamedTuple):
    """What was read, of which bundle, and when by ``monotonic``."""

    body: bytes | None
    projects: Projects | None
    at_s: float


def in_force(keeper: Keeper, *, age_s_max: float = 0.0) -> Projects | None:
    """Give the projects of the policy in force; None where none is.

    Args:
        age_s_max: what was read so long ago will do.

    Raises:
        AuthorityError: the bundle does not verify, or cannot be read.
    """
    known, now_s = keeper.projects, keeper.monotonic()
    if known is None or now_s - known.at_s >= age_s_max:
        body = roles.body_of(keeper, "bundle", "active")
        if known is not None and known.body == body:
            known = known._replace(at_s=now_s)
        else:
            known = Looked(body, None if body is None else _read(body), now_s)
        keeper.projects = known
    return known.projects


def check_declared(keeper: Keeper, project: str) -> Project | None:
    """Give a project of the policy in force; None where no policy is.

    Raises:
        KeeperError: ``INPUT_INVALID``: the policy has no such project. AuthorityError: as ``in_force``.
    """
    known = in_force(keeper)
    if known is None:
        return None
    found = known.declared.get(project)
    if found is None:
        why = f"is none of the policy in force; {near(project, known.declared)}"
        raise KeeperError("project", why, reason=Reason.INPUT_INVALID)
    return found


def check_open(keeper: Keeper, project: str) -> None:
    """Pass only a project whose seeds a process may ask for without saying for whom.

    Raises:
        KeeperError: ``ACCESS_PROJECT``. AuthorityError: as ``in_force``.
    """
    known = in_force(keeper, age_s_max=AGE_S_MAX)
    if known is not None and known.for_jobs_alone(project):
        raise refusal()


def refusal() -> KeeperError:
    """Make the one refusal of who is not named."""
    why = "names who runs jobs into it (released_by), and this is none of them"
    return KeeperError("project", why, reason=Reason.ACCESS_PROJECT)


def _read(body: bytes) -> Projects:
    errors: list[PolicyError] = []
    try:
        files = unpack(body)
        sections = {
            path: Section(document, document.table, errors)
            for path, content in files.items()
            if path == _PROJECTS or path.startswith(_LINKS)
            for document in [Document(path, content)]
        }
    except PolicyError as error:
        raise AuthorityError("bundle/active", "its projects cannot be read") from error
    declared = parts.projects(sections[_PROJECTS]) if _PROJECTS in sections else {}
    linked = {one.text("project", "") for path, one in sections.items() if path.startswith(_LINKS)}
    if errors:
        raise AuthorityError("bundle/active", "its projects cannot be read")
    return Projects(declared, frozenset(linked - {""}))
