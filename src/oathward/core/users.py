"""Every process its own operating-system user: who may read and write what of a data folder.

| place | owner | mode | so that |
|---|---|---|---|
| data folder, settings | root | 750, 640 | all may read, nobody replaces anything |
| ``db/`` | root | 3770, files 660 | all write the database, nobody takes another's file away |
| ``bodies/`` | gateway | 2750 | the gateway writes, the others read |
| ``own/ROLE``, ``run/ROLE`` | that role | 750 | each has its own state, status and sockets |
| ``trust/`` | keeper | 755 | all read; the listener's key is the gateway's alone |
| ``recipients/`` | courier | 700 | keys of connections out are the courier's |
| keeper's folder | keeper | 700 | nobody else |

Rules:
- It is so where ``[users]`` names a user for every role and a group, and root serves. The group is all of theirs.
- A user or group may be a number: an account is not needed.
- Modes are put right at each start: a command of root on a stopped site may have left files of its own.

Deliberately absent: the witness (``oathward witness --user``: another folder, better another machine), and what the
database itself could tell apart: PostgreSQL has roles for that, SQLite none.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oathward.core.errors import SettingsError
from oathward.core.settings import Settings

ROLES = ("gateway", "courier", "keeper", "app")
"""Of every site; ``roles`` adds what a setting turns on."""
_DATABASE = "oathward.db"


def roles(settings: Settings) -> tuple[str, ...]:
    """Give the roles that run on this site: the portal's only where it is on."""
    return (*ROLES, "portal") if settings.portal.port >= 0 else ROLES


def user_of(settings: Settings, role: str) -> int:
    """Give the number of a role's user; our own where none is named.

    Raises:
        SettingsError: no such user.
    """
    name = getattr(settings.users, role)
    if not name:
        return os.geteuid()
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError as error:
        why = f"there is no user `{name}` on this machine; make it, or leave the setting out"
        raise SettingsError(f"[users] {role}", why) from error


def group_of(settings: Settings) -> int:
    """Give the number of the group they share; -1 where none is named.

    Raises:
        SettingsError: no such group.
    """
    name = settings.users.group
    if not name:
        return -1
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise SettingsError(
            "[users] group", f"there is no group `{name}` on this machine; make it"
        ) from error


def check_users(settings: Settings) -> None:
    """See that the users and the group in ``[users]`` exist on this machine.

    Raises:
        SettingsError: one does not; names the place.
    """
    for role in roles(settings):
        user_of(settings, role)
    group_of(settings)


def separated(settings: Settings) -> bool:
    """Say whether every process has a user and they have a group."""
    return bool(settings.users.group) and all(getattr(settings.users, role) for role in roles(settings))


def why_not_separated(settings: Settings) -> str:
    """Say in words what keeps processes from being apart; empty where they are.

    Raises:
        SettingsError: a user or the group is not there.
    """
    lacking = [name for name in (*roles(settings), "group") if not getattr(settings.users, name)]
    if lacking:
        return f"no user is named for {', '.join(lacking)} under [users]"
    numbers = {user_of(settings, role) for role in roles(settings)}
    group_of(settings)
    if len(numbers) < len(roles(settings)) or 0 in numbers:
        return "[users] names one user twice, or root: those processes can do what the other can"
    if (settings.data / _DATABASE).exists():
        return "the database lies in the data folder itself: stop the site, make `db` there, move oathward.db* into it"
    return ""


def prepare(settings: Settings) -> None:
    """Make folders, owners and modes as the table says; only root can, and only where users are named.

    Raises:
        SettingsError: a user or group is not there, or the database lies where not all of them can write it.
    """
    if os.geteuid() != 0 or not separated(settings):
        return
    why = why_not_separated(settings)
    if why:
        raise SettingsError("[users]", why)
    group, uid = group_of(settings), {role: user_of(settings, role) for role in roles(settings)}
    data = settings.data
    _give(data, 0, group, 0o750)
    _file(data / "oathward.toml", 0, group, 0o640)
    for name in ("own", "run"):
        _give(data / name, 0, group, 0o750)
        for role in roles(settings):
            _give(data / name / role, uid[role], group, 0o750)
    _give(data / "trust", uid["keeper"], group, 0o755)
    _file(data / "trust" / "mllp.key", uid["gateway"], group, 0o600)
    _file(data / "trust" / "tombstones", uid["keeper"], group, 0o644)
    _prepare_database(data / "db", group)
    _prepare_bodies(data / "bodies", uid["gateway"], group)
    _tree(settings.keeper_folder, uid["keeper"], group)
    if (data / "recipients").is_dir():
        _tree(data / "recipients", uid["courier"], group)


def become(settings: Settings, role: str) -> None:
    """Give up root for the role's own user and the shared group, for good; nothing where we are not root."""
    uid = user_of(settings, role)
    if os.geteuid() == uid:
        return
    if os.geteuid() != 0:
        raise SettingsError(f"[users] {role}", "start it as this user, or as root")
    group = group_of(settings)
    name = getattr(settings.users, role)
    own = group if group >= 0 else (uid if name.isdecimal() else pwd.getpwnam(name).pw_gid)
    if group >= 0 or name.isdecimal():
        os.setgroups([])
    else:
        os.initgroups(name, own)
    os.setgid(own)
    os.setuid(uid)


@contextmanager
def speaking_as(uid: int, group: int) -> Iterator[None]:
    """As root, be another user for the moment of a connection; the far side sees that one. For commands: all threads change.

    Args:
        group: -1 keeps our own.
    """
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    before = os.getegid()
    if group >= 0:
        os.setegid(group)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)


def _prepare_database(folder: Path, group: int) -> None:
    _give(folder, 0, group, 0o3770)
    lock = folder / f"{_DATABASE}.lock"
    if not lock.exists():
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    for path in folder.glob(f"{_DATABASE}*"):
        _file(path, 0, group, 0o660)


def _prepare_bodies(folder: Path, gateway: int, group: int) -> None:
    _give(folder, gateway, group, 0o2750)
    for path in (path for path in sorted(folder.glob("*")) if path.is_dir() and not path.is_symlink()):
        replay = path / "replay"  # written by a person's command
        _walk(path, gateway, group, 0o2750, 0o640, without=replay.name)
        if replay.is_dir() and not replay.is_symlink():
            _walk(replay, 0, group, 0o2750, 0o640)


def _tree(folder: Path, uid: int, group: int) -> None:
    """Make a folder and all in it one user's alone."""
    _give(folder, uid, group, 0o700)
    _walk(folder, uid, group, 0o700, 0o600)


def _walk(folder: Path, uid: int, group: int, folder_mode: int, file_mode: int, *, without: str = "") -> None:
    """Give away a folder and all in it, by handles: a role that swaps a name for a link meanwhile changes nothing."""
    for _, folders, names, at in os.fwalk(folder):
        folders[:] = [name for name in folders if name != without]
        os.fchown(at, uid, group)
        os.fchmod(at, folder_mode)
        for name in names:
            _file(name, uid, group, file_mode, folder=at)


def _give(folder: Path, uid: int, group: int, mode: int) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    os.chown(folder, uid, group, follow_symlinks=False)
    folder.chmod(mode)


def _file(path: Path | str, uid: int, group: int, mode: int, *, folder: int | None = None) -> None:
    """Give one plain file away; what a role put there in its stead (a link, another's file) is left alone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.fchown(fd, uid, group)
            os.fchmod(fd, mode)
    finally:
        os.close(fd)
