"""Read the files of a policy bundle from a folder: plain files only, bounded in number and size.

Deliberately absent: what stands in them (``oathward.policy``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oathward.core.errors import InputError, PolicyError


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a bundle: path → content.

    Names that begin with a dot are left out (version control, editors). Links are refused, not followed,
    so that nothing outside the folder can be drawn in.

    Raises:
        PolicyErrors: a link or another thing that is no plain file; too many or too large files.
        InputError: no such folder, or it cannot be read.
    """
    from oathward.policy.errors import PolicyErrors
    from oathward.policy.files import FILES_MAX

    files: dict[str, bytes] = {}
    errors: list[PolicyError] = []
    try:
        for path in _walk(folder):
            name = path.relative_to(folder).as_posix()
            if len(files) > FILES_MAX:
                raise PolicyErrors([PolicyError(str(folder), f"more than {FILES_MAX} files")])
            try:
                files[name] = _read_file(path)
            except PolicyError as error:
                errors.append(PolicyError(name, error.why))
    except OSError as error:
        raise InputError(str(folder), f"cannot be read: {error.strerror}") from error
    if errors:
        raise PolicyErrors(errors)
    return files


def _walk(folder: Path, depth: int = 1) -> list[Path]:
    """List files of a folder and of its folders, one level deep: a bundle has no deeper one."""
    found: list[Path] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if depth and entry.is_dir(follow_symlinks=False):
            found += _walk(Path(entry.path), depth - 1)
        else:
            found.append(Path(entry.path))
    return found


def _read_file(path: Path) -> bytes:
    from oathward.policy.files import FILE_SIZE_BYTES_MAX

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise PolicyError(path.name, "is a link; a bundle holds plain files only") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PolicyError(path.name, "is not a plain file")
    with os.fdopen(handle, "rb") as file:
        content = file.read(FILE_SIZE_BYTES_MAX + 1)
    if len(content) > FILE_SIZE_BYTES_MAX:
        raise PolicyError(path.name, f"larger than {FILE_SIZE_BYTES_MAX} bytes")
    return content
