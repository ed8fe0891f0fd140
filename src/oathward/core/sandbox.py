"""Take from a process what it does not need: network, other programs, files, memory.

| what | how |
|---|---|
| memory, size of files, core dumps | limits of the process |
| network, other programs, other processes, memory that no limit counts | seccomp: the calls fail |
| threads, once it has those that it needs (``no_more_threads``) | seccomp, for all of its threads |
| time of processors, where somebody says how much | a limit of the process, all its threads together |
| files | Landlock: only the program's own may be read, none written |

Three kinds of process: one that parses (``confine``), one that starts programs (``confine`` with some), a program that it starts (``confine_program``).

Rules:
- For good, and for all its threads and children; nothing gives it back. Threads that were begun before would not be confined: who has some cannot be.
- What it was handed it may read and write, and nowhere else: of a socket that is not connected it only receives.
- Who starts programs may start those alone, and end them, for which it may signal others of its user; a program that it starts may not.
- Where one of them is not to be had the process must not see foreign bytes: ``SandboxError``, whose text says what is missing.

Deliberately absent: time on the clock (whoever started the process watches that).

Source: Linux seccomp(2), landlock(7); the numbers of calls are the architecture's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason

FILES_MAX = 64
_MORE_S = 2

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2

# Classic BPF, as seccomp reads it: (code, jump if true, jump if not, value).
_LOAD, _EQUAL, _LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT, _SECOND_ARGUMENT_AT, _FIFTH_ARGUMENT_AT = 0, 4, 16, 24, 48
_IOCTLS = (0x5412, 0x541C, 0x8901, 0x8902)
"""TIOCSTI and TIOCLINUX type on a terminal; FIOSETOWN and SIOCSPGRP say who gets a socket's signals."""
_FCNTLS = (8, 10, 15)
"""F_SETOWN, F_SETSIG and F_SETOWN_EX: who gets the signals of an open file, and which: the system would kill for whoever may not."""
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000
"""All flags that ask for a name space."""

_X32 = 0x40000000
"""Calls of x86_64's other convention have the same architecture and numbers from here on."""

_DENIED: dict[str, Any] = {
    "x86_64": (
        0xC000003E,
        # socket connect accept bind listen accept4 socketpair sendmsg sendmmsg
        (41, 42, 43, 49, 50, 288, 53, 46, 307),
        # execve execveat fork vfork ptrace process_vm_readv process_vm_writev kill tkill pidfd_open pidfd_getfd pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo
        (59, 322, 57, 58, 101, 310, 311, 62, 200, 434, 438, 424, 129, 297),
        # mount umount2 unshare setns bpf perf_event_open userfaultfd io_uring_setup keyctl add_key request_key
        (165, 166, 272, 308, 321, 298, 323, 425, 250, 248, 249),
        # truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat
        (76, 90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280),
        # setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
        (188, 189, 190, 463, 197, 198, 199, 466),
        # shmget semget msgget mq_open memfd_create memfd_secret
        (29, 64, 68, 240, 319, 447),
        # setpriority sched_setparam sched_setscheduler sched_setattr sched_setaffinity ioprio_set migrate_pages move_pages kcmp process_madvise process_mrelease
        (141, 142, 144, 314, 203, 251, 256, 279, 312, 440, 448),
        # what only an administrator may: chroot pivot_root sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex reboot
        (161, 155, 170, 171, 164, 227, 305, 159, 169),
        # init_module finit_module delete_module kexec_load kexec_file_load swapon swapoff iopl ioperm syslog acct quotactl quotactl_fd
        (175, 313, 176, 246, 320, 167, 168, 172, 173, 103, 163, 179, 443),
        # name_to_handle_at open_by_handle_at fanotify_init open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr; and sync syncfs, which hold up everybody
        (303, 304, 300, 428, 429, 430, 431, 432, 433, 442, 162, 306),
        (56, 435),
        (234, 302),
        (16, 72, 44),
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 202, 200, 201, 242, 199, 211, 269),
        (221, 281, 117, 270, 271, 129, 130, 434, 438, 424, 138, 240),
        (40, 39, 97, 268, 280, 241, 282, 425, 219, 217, 218),
        (45, 52, 53, 452, 54, 55, 88),
        (5, 6, 7, 463, 14, 15, 16, 466),
        (194, 190, 186, 180, 279, 447),
        (140, 118, 119, 274, 122, 30, 238, 239, 272, 440, 448),
        (51, 41, 161, 162, 170, 112, 266, 171, 142),
        (105, 273, 106, 104, 294, 224, 225, 116, 89, 60, 443),
        (264, 265, 262, 428, 429, 430, 431, 432, 433, 442, 81, 267),
        (220, 435),
        (131, 261),
        (29, 25, 206),
    ),
}
"""Machine -> its audit number, calls that are refused by kind, (clone, clone3), and (tgkill, prlimit64): those of this process alone;
(ioctl, fcntl, sendto), of which some do what others of these calls would.

Landlock of the first edition knows neither of a file's length nor of what else is said of it: those calls are refused here."""

_STARTING: dict[str, tuple[tuple[int, ...], int]] = {
    "x86_64": ((57, 58, 59, 62), 59),
    "aarch64": ((129, 221), 221),
}
"""Machine -> calls that starting a program and ending it takes: fork vfork execve kill; and execve, all that the program's start takes."""

_THREADS: dict[str, tuple[int, tuple[int, ...]]] = {"x86_64": (317, (56, 435)), "aarch64": (277, (220, 435))}
"""Machine -> seccomp; clone and clone3."""
_SET_FILTER, _ALL_THREADS = 1, 1

_RULESET, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same everywhere
_EXECUTES, _READS_FILE, _READS_FOLDER = 1 << 0, 1 << 2, 1 << 3
_HANDLED = (1 << 13) - 1  # all rights of the first edition
_BENEATH = 1

_LIBRARIES = ("/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_HEAD_BYTES = 4_096
_LOADER = re.compile(rb"(/[\w./-]*ld-[\w.-]*\.so[.0-9]*)\0").search
"""Where an ELF file says it, near its beginning."""


class SandboxError(OathwardError):
    """A process cannot be confined here."""

    def __init__(self, what: str) -> None:
        super().__init__("sandbox", what, reason=Reason.CONFINEMENT_MISSING)


def confine(
    memory_bytes_max: int,
    readable: Iterable[Path] = (),
    starts: Iterable[Path] = (),
    *,
    file_bytes_max: int = 0,
    seconds_max: int | None = None,
) -> None:
    """Confine this process.

    Args:
        memory_bytes_max: address space. seconds_max: of processors, by all its threads; None: no bound.
        readable: folders and files besides the interpreter's own that may still be read.
        starts: programs that it may start; by default none, and no process.
        file_bytes_max: of a file that it is handed to write; by default it writes none.

    Raises:
        SandboxError: this system cannot; the process must end.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208  names are enough
        raise SandboxError("it has threads already, which would not be")
    executable = [path for program in starts for path in executables(program)]
    calls = _STARTING.get(platform.machine(), ((), 0))[0] if executable else ()
    _confine((*own_folders(), *readable), executable, calls, forks=bool(executable))
    limits = {resource.RLIMIT_AS: memory_bytes_max, resource.RLIMIT_FSIZE: file_bytes_max}
    _limits(limits if seconds_max is None else limits | {resource.RLIMIT_CPU: seconds_max})


def no_more_threads() -> None:
    """Have no thread begun from now on, by none of this process's threads: who has taken it over has the few that there are.

    Raises:
        SandboxError: this system cannot; the process must end.
    """
    seccomp, calls = _THREADS.get(platform.machine(), (0, ()))
    if not calls:
        raise SandboxError(f"no list of calls for {platform.machine()}")
    steps = [(_LOAD, 0, 0, _NUMBER_AT)]
    for number in calls:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE | errno.EAGAIN)]
    head, _kept = _written([*steps, (_RETURN, 0, 0, _ALLOW)])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(seccomp, ctypes.c_uint(_SET_FILTER), ctypes.c_uint(_ALL_THREADS), head):
        raise SandboxError("seccomp is not to be had for all threads")


def confine_program(
    program: Path, readable: Iterable[Path], memory_bytes_max: int, seconds_max: int | None = None
) -> None:
    """Confine this process, which becomes a program next; nothing else may be executed then.

    Args:
        readable: folders and files besides the system's libraries that it may read.
        memory_bytes_max: address space. seconds_max: of a processor; None: whoever started it watches its time.

    Raises:
        SandboxError: this system cannot.
    """
    execve = _STARTING.get(platform.machine(), ((), 0))[1]
    # One that was forked for it has no other threads, and starting a program ends all there are.
    _confine((*_existing(_LIBRARIES), *readable), executables(program), (execve,), forks=False)
    bound(memory_bytes_max, seconds_max)  # last: who starts it may have more files open than it may


def bound(memory_bytes_max: int, seconds_max: int | None) -> None:
    """Bound this process, which becomes a program next: it writes no file either."""
    limits = {resource.RLIMIT_AS: memory_bytes_max, resource.RLIMIT_FSIZE: 0}
    _limits(limits if seconds_max is None else limits | {resource.RLIMIT_CPU: seconds_max})


def executables(program: Path) -> tuple[Path, ...]:
    """Give what is executed where a program is: itself, and what loads its libraries."""
    with program.open("rb") as file:
        loader = _LOADER(file.read(_HEAD_BYTES))
    return (program, Path(loader[1].decode())) if loader else (program,)


def _limits(limits: dict[int, int]) -> None:
    usual = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: FILES_MAX}
    for limit, most in (usual | limits).items():
        hard = resource.getrlimit(limit)[1]
        able = most if hard == resource.RLIM_INFINITY else min(most, hard)  # nobody may raise what stands
        # Of a processor's time the first is told (SIGXCPU), and whoever does not mind that is ended by the second.
        more = _MORE_S if limit == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else 0
        resource.setrlimit(limit, (able, able + more))


def _confine(
    readable: Iterable[Path], executable: Iterable[Path], calls: tuple[int, ...], *, forks: bool
) -> None:
    """Confine files, then calls. ``calls``: those that are not refused. ``forks``: nor are new processes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise SandboxError("no_new_privs is not to be had")
    _files(libc, readable, executable)
    _calls(libc, calls, forks=forks)


def own_folders() -> tuple[Path, ...]:
    """List what the interpreter and this program are read from."""
    package = Path(__file__).resolve().parent.parent
    named = (
        sys.prefix,
        sys.base_prefix,
        package,
        *_LIBRARIES,
    )
    more = ("/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom", "/dev/null", "/proc/self")
    return _existing((*map(str, named), *more))


def _existing(paths: Iterable[str]) -> tuple[Path, ...]:
    return tuple(path for path in map(Path, dict.fromkeys(paths)) if path.exists())


def _files(libc: ctypes.CDLL, readable: Iterable[Path], executable: Iterable[Path]) -> None:
    attributes = ctypes.create_string_buffer(struct.pack("Q", _HANDLED))
    ruleset = libc.syscall(_RULESET, attributes, ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        raise SandboxError("Landlock is not to be had: Linux 5.13 or newer, with it switched on")
    rules = [(path, _READS_FILE | (_READS_FOLDER if path.is_dir() else 0)) for path in readable]
    for path, rights in (*rules, *((path, _READS_FILE | _EXECUTES) for path in executable)):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, fd))
        failed = libc.syscall(
            _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_BENEATH), rule, ctypes.c_uint32(0)
        )
        os.close(fd)
        if failed:
            raise SandboxError("Landlock refused a rule")
    if libc.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)):
        raise SandboxError("Landlock could not be switched on")
    os.close(ruleset)


def _calls(libc: ctypes.CDLL, allowed: tuple[int, ...], *, forks: bool) -> None:
    known = _DENIED.get(platform.machine())
    if known is None:
        raise SandboxError(f"no list of calls for {platform.machine()}")
    head, _kept = _written(_program(*known, allowed=allowed, forks=forks))
    if libc.prctl(_PR_SET_SECCOMP, _FILTER, head, 0, 0):
        raise SandboxError("seccomp is not to be had")


def _written(steps: list[tuple[int, int, int, int]]) -> tuple[Any, Any]:
    """Write a filter as the system takes it; gives its head, and what that points to, which must stay."""
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(kept))
    return ctypes.create_string_buffer(head, len(head)), kept


def _program(
    audit: int, *kinds: tuple[int, ...], allowed: tuple[int, ...], forks: bool
) -> list[tuple[int, int, int, int]]:
    """Write the filter: another architecture's calls, those listed, and new processes are refused; threads are not.

    Args:
        allowed: of those listed, what is not refused. forks: nor are processes, but in name spaces of their own.
    """
    *refused, (clone, clone3), own, (ioctl, fcntl, sendto) = kinds
    refuse = _REFUSE | errno.EPERM
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, refuse),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, refuse),
    ]
    for number in (one for kind in refused for one in kind if one not in allowed):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    for number in own:  # the first argument is whom it is about, 0 is oneself
        steps += [(_EQUAL, 0, 5, number), (_LOAD, 0, 0, _FIRST_ARGUMENT_AT), (_EQUAL, 2, 0, os.getpid())]
        steps += [(_EQUAL, 1, 0, 0), (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    steps += [*_but(ioctl, _IOCTLS, refuse), *_but(fcntl, _FCNTLS, refuse)]
    steps += [
        (_EQUAL, 0, 6, sendto),
        (_LOAD, 0, 0, _FIFTH_ARGUMENT_AT),
        (_EQUAL, 0, 3, 0),
    ]  # to whom: nobody new
    steps += [(_LOAD, 0, 0, _FIFTH_ARGUMENT_AT + 4), (_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, refuse)]  # fmt: skip
    # The C library asks for clone where clone3 is not there, and of that the flags can be read.
    steps += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    asked = (_SET, 0, 1, _CLONE_NEW) if forks else (_SET, 1, 0, _CLONE_THREAD)
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT_AT), asked]
    steps += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    return steps


def _but(number: int, values: tuple[int, ...], refuse: int) -> list[tuple[int, int, int, int]]:
    """Write the part of the filter for a call that is refused where its second argument is one of some."""
    known = [(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    call = [(_EQUAL, 0, len(values) + 3, number), (_LOAD, 0, 0, _SECOND_ARGUMENT_AT)]
    return [*call, *known, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, refuse)]
