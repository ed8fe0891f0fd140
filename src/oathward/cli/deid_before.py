"""What ``oathward deid`` looks at, and says, before a job begins: whose numbers they are, and whether images can leave.

Deliberately absent: what stops a job later.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from oathward.cli.output import shown
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from oathward.vault.opened import Opened

_SUFFIXES = (".dcm", ".dicom", ".ima")
_MARK, _MARK_AT = b"DICM", 128
_OPENED_MAX = 200
"""Files without a suffix of which the first bytes are read."""


def tell(text: str) -> None:
    """Say on stderr what is no error: stdout is the command's result."""
    print(f"note: {text}", file=sys.stderr)


def check_there(option: str, path: Path) -> None:
    """Refuse a path at which nothing stands.

    Raises:
        InputError: says which it is.
    """
    if not os.path.lexists(path):
        raise InputError(option, f"there is no folder or file `{shown(str(path))}`", reason=Reason.NOT_FOUND)


def check_authority(site: Opened, text: str) -> None:
    """Refuse, or warn of, an assigning authority that the site does not know: a typo would make other patients of all.

    Known are the names of the settings and those of devices. Numbers of the register do not count: an earlier typo is among these.

    Raises:
        InputError: the settings declare some, and this is none of them.
    """
    from oathward.core.authorities import Authorities
    from oathward.core.db import read
    from oathward.inventory.views import devices
    from oathward.policy.reading import near

    if not text:
        return
    declared = site.settings.patients.authorities
    with read(site.engine) as db:
        found = devices(db, site.site, site.authority, site.seen)
    names = {one.device.default_authority for one in found if one.device.default_authority}
    names |= {*declared, *(alias for aliases in declared.values() for alias in aliases)}
    table = Authorities(declared)
    if not names or table.written(text) in {table.written(name) for name in names}:
        return
    if not declared:
        tell(f"--authority: no device names it, and its patients are others than theirs; {near(text, names)}")
        return
    why = f"neither [patients.authorities] nor a device names it (a new one is declared there: NAME = []); {near(text, names)}"
    raise InputError("--authority", why, reason=Reason.INPUT_INVALID)


def tell_of_images(source: Path) -> None:
    """Say that images at risk will be held where what reads print in them is lacking, and the folder holds DICOM."""
    from oathward.deidentifying.ocr import lacking
    from oathward.deidentifying.walk import items

    what = lacking()
    if what and has_dicom(source, (item.path for item in items(source) if item.size > 0)):
        tell(
            f"DICOM images that may show text will be held whole: here {' and '.join(what)} {'are' if len(what) > 1 else 'is'} lacking."
        )


def has_dicom(source: Path, paths: Iterable[str]) -> bool:
    """Say whether a folder holds DICOM: by names; of those without a suffix by the first bytes of some.

    Args:
        paths: of its files, below it; empty for the file itself.
    """
    bare: list[Path] = []
    for path in paths:
        file = source / path if path else source
        if file.suffix.lower() in _SUFFIXES:
            return True
        if not file.suffix and len(bare) < _OPENED_MAX:
            bare.append(file)
    return any(_marked(file) for file in bare)


def _marked(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # the job says so of that file
        return False
    try:
        return os.pread(fd, len(_MARK), _MARK_AT) == _MARK
    except OSError:
        return False
    finally:
        os.close(fd)
