"""A process that reads foreign files has no network, no other programs, no files but its own, little memory."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from oathward.core import sandbox

MINE = tempfile.NamedTemporaryFile()  # noqa: SIM115  as long as the tests

TRIES = {
    "a socket": "import socket; socket.socket()",
    "a pair of sockets": "import socket; socket.socketpair()",
    "another program": "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "a child": "import os; os.fork() or os._exit(0)",
    "a signal": "import os; os.kill(os.getppid(), 0)",
    "a signal by another call": "call('tgkill', os.getppid(), os.getppid(), 0)",
    "a signal with words": "call('sigqueue', os.getppid(), 0, ctypes.c_void_p())",
    "another's limits": "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "another's turn": "os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))",
    "the length of a file": f"os.truncate({MINE.name!r}, 0)",
    "who may read a file": f"os.chmod({MINE.name!r}, 0o600)",
    "who may read an open file": "os.fchmod(0, 0o600)",
    "whose a file is": f"os.chown({MINE.name!r}, -1, -1)",
    "the time of a file": f"os.utime({MINE.name!r})",
    "words beside a file": f"os.setxattr({MINE.name!r}, 'user.oathward', b'x')",
    "typing on a terminal": "fcntl.ioctl(terminal, 0x5412, b'x')",
    "a datagram to anybody": "door.sendto(b'x', door.getsockname())",
    "a datagram by another call": "door.sendmsg([b'x'], [], 0, door.getsockname())",
    "signals of a file to another": "fcntl.fcntl(door, fcntl.F_SETOWN, os.getppid())",
    "signals of a file to another by another call": "fcntl.fcntl(door, 15, struct.pack('ii', 1, os.getppid()))",
    "signals of a socket to another": "fcntl.ioctl(door, 0x8901, struct.pack('i', os.getppid()))",
    "another signal of a file": "fcntl.fcntl(door, 10, 9)",
    "on which processors another runs": "os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))",
    "another root": "os.chroot('/')",
    "the name of this machine": "socket.sethostname(socket.gethostname())",
    "all disks at once": "call('syncfs', 0)",
    "memory that no limit counts": "os.memfd_create('x')",
    "memory of others": "call('shmctl', call('shmget', 0, 4096, 0o600), 0, None)",
    "a file of the system": "open('/etc/passwd').read()",
    "a file of the site": f"open({str(Path(__file__))!r}).read()",
    "the list of a folder": "import os; os.listdir('/')",
    "a new file": "open('/tmp/oathward-confined', 'w')",
    "a file that was there": "open('/dev/null', 'w')",
    "another name space": "import os, ctypes; libc = ctypes.CDLL(None, use_errno=True); x = libc.unshare(0x10000000); x and exec('raise OSError(ctypes.get_errno())')",
    "memory": "bytearray(900 << 20)",
}
STARTING = {
    **{what: TRIES[what] for what in TRIES if what not in ("a child", "a signal")},
    "another program by its call": "os.execv('/bin/true', ['true'])",
    "a child in a name space": "call('syscall', {'x86_64': 56}.get(os.uname().machine, 220), 0x10000011, 0, 0, 0, 0) or os._exit(0)",
}
"""What one that may start a program cannot, that program aside."""

PROGRAM = "/bin/cat"
NOT_EVERYWHERE = (
    "another root",
    "the name of this machine",
    "another name space",
    "words beside a file",
    "typing on a terminal",
)
STILL = {
    "threads": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "modules": "import xml.dom.minidom",
    "chance": "import os; os.urandom(8)",
    "words to its parent": "one.sendall(b'x'); other.recv(1)",
    "flags of what is open": "fcntl.fcntl(one, fcntl.F_SETFL, fcntl.fcntl(one, fcntl.F_GETFL) | os.O_NONBLOCK)",
    "its own limits": "import resource; resource.getrlimit(resource.RLIMIT_AS)",
    "a signal to itself": "import signal; signal.signal(10, signal.SIG_IGN); signal.raise_signal(10)",
    "zones": "import zoneinfo; zoneinfo.ZoneInfo('Europe/Madrid')",
}
STARTS = {
    "the program": f"import subprocess; subprocess.run([{PROGRAM!r}], stdin=0, stdout=subprocess.PIPE, check=True)",
    "its end": f"import subprocess; p = subprocess.Popen([{PROGRAM!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE); p.kill(); p.wait()",
}
CONFINED = "confine(512 << 20)"
STARTER = f"confine(512 << 20, starts=(Path({PROGRAM!r}).resolve(),))"
STARTED = f"confine_program(Path({PROGRAM!r}).resolve(), own_folders(), 512 << 20, 5)"
"""Who parses, who starts a program, and the program."""


def outcome(statement: str, confined: str = "") -> str:
    program = f"""
        import ctypes, fcntl, os, socket, struct
        from pathlib import Path
        from oathward.core.sandbox import confine, confine_program, own_folders
        def call(name, *arguments):
            done = getattr(libc, name)(*arguments)
            if done < 0:
                raise OSError(ctypes.get_errno(), name)
            return done
        libc = ctypes.CDLL(None, use_errno=True)
        _, terminal = os.openpty()
        one, other = socket.socketpair()
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind(("127.0.0.1", 0))
        {confined}
        try:
            exec({statement!r})
        except (OSError, MemoryError) as error:
            print(type(error).__name__)
        else:
            print("done")
    """
    with Path(MINE.name).open(
        "rb"
    ) as mine:  # never /dev/null: one of the tries says who may read what is open
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdin=mine,
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout.split()[-1]


REFUSED = ("PermissionError", "MemoryError", "OSError")


@pytest.mark.parametrize("what", TRIES)
@pytest.mark.parametrize("confined", [CONFINED, STARTED], ids=["parses", "started"])
def test_a_confined_process_is_refused(what, confined):
    assert outcome(TRIES[what], confined) in REFUSED


@pytest.mark.parametrize("what", STARTING)
def test_one_that_may_start_a_program_is_refused_all_else(what):
    assert outcome(STARTING[what], STARTER) in REFUSED


@pytest.mark.parametrize("what", STARTS)
def test_one_that_may_start_a_program_starts_and_ends_it(what):
    assert outcome(STARTS[what], STARTER) == "done"
    assert outcome(STARTS[what], CONFINED) in REFUSED


@pytest.mark.parametrize("what", [what for what in TRIES if what not in NOT_EVERYWHERE])
def test_the_same_is_possible_before(what):
    assert outcome(TRIES[what]) == "done"


def test_who_has_threads_cannot_be_confined():
    """Landlock and seccomp hold for the thread that asks and for those begun later: another would go on as before."""
    threads = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    program = f"{threads}\nfrom oathward.core.sandbox import confine\nconfine(512 << 20)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, "it has threads already" in done.stderr) == (1, True)


@pytest.mark.parametrize("what", STILL)
@pytest.mark.parametrize("confined", [CONFINED, STARTER], ids=["parses", "starts"])
def test_what_it_needs_goes_on(what, confined):
    assert outcome(STILL[what], confined) == "done"


@pytest.mark.parametrize(
    ("file_bytes_max", "told"),
    [(", file_bytes_max=10", "OSError"), ("", "OSError"), (", file_bytes_max=11", "done")],
)
@pytest.mark.parametrize(
    "how",
    [
        "os.write(out, bytes(10)); os.write(out, b'x')",
        "os.copy_file_range(made, out, 10); os.copy_file_range(made, out, 1)",
    ],
)
def test_what_it_is_handed_to_write_grows_to_its_most(tmp_path, file_bytes_max, told, how):
    (tmp_path / "made").write_bytes(bytes(20))
    files = f"out = os.open({str(tmp_path / 'out')!r}, os.O_RDWR | os.O_CREAT); made = os.open({str(tmp_path / 'made')!r}, os.O_RDONLY)"
    assert outcome(how, f"{files}; confine(512 << 20{file_bytes_max})") == told


def test_a_program_is_confined_by_whoever_has_more_files_open_than_it_may(tmp_path):
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(sandbox.FILES_MAX + 1)]
    try:
        done = subprocess.run(
            ["/bin/true"],
            check=False,
            preexec_fn=lambda: sandbox.confine_program(Path("/bin/true"), (), 1 << 30, 10),
        )
    finally:
        for fd in many:
            os.close(fd)
    assert not done.returncode


THREAD = "import threading; threading.Thread(target=len, args=((),)).start()"


def test_no_thread_is_begun_once_there_are_enough():
    """By none of the threads: neither by the first nor by one that was there before."""
    assert outcome(THREAD, "confine(512 << 20)") == "done"
    enough = "from oathward.core.sandbox import confine, no_more_threads; confine(512 << 20)"
    program = f"""
        import queue, threading
        {enough}
        asked, told = queue.Queue(), queue.Queue()
        def tried():
            try:
                threading.Thread(target=len, args=((),)).start()
            except RuntimeError as error:
                return str(error)
            return "begun"
        def wait():
            asked.get()
            told.put(tried())
        threading.Thread(target=wait, daemon=True).start()
        before = tried()
        no_more_threads()
        asked.put(None)
        print(before, tried(), told.get(), sep="|")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "begun|can't start new thread|can't start new thread"


def test_time_of_processors_is_bounded_for_who_does_not_mind_too():
    program = """
        import signal
        from oathward.core.sandbox import confine
        {mind}
        confine(512 << 20, seconds_max=1)
        while True:
            pass
    """
    for mind, ended in (
        ("", signal.SIGXCPU),
        ("signal.signal(signal.SIGXCPU, signal.SIG_IGN)", signal.SIGKILL),
    ):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program.format(mind=mind))], check=False)
        assert done.returncode == -ended
