"""Projects of the policy in force, as the keeper reads them: which there are, who may run jobs into one, which a live link uses.

Rules:
- What is read was checked before it was signed; it is read anew when another bundle is in force.
- Without a policy in force there are no declared projects, and any name is one.

Deliberately absent: seeds (``subjects``), and everything else of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oathward.core.errors import AuthorityError, KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.policy import parts
from oathward.policy.files import unpack
from oathward.policy.model import Project
from oathward.policy.reading import Document, Section, near
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper

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


def in_force(keeper: Keeper) -> Projects | None:
    """Give the projects of the policy in force; None where none is.

    Raises:
        AuthorityError: the bundle does not verify, or cannot be read.
    """
    body = roles.body_of(keeper, "bundle", "active")
    if body is None:
        return None
    if keeper.projects is None or keeper.projects[0] != body:
        keeper.projects = body, _read(body)
    return keeper.projects[1]


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
    known = in_force(keeper)
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
