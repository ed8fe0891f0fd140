"""Promises about files that are parsed apart: whoever parses can do nothing else, is bounded in memory and time, and its word is checked."""

import os
import re
import socket
from pathlib import Path

import pytest

from oathward.core import workers
from oathward.core.errors import InputError
from oathward.core.parsing import Parser, ParserError, held
from oathward.core.reasons import Reason
from oathward.core.sandbox import SandboxError

CHILD = """
import os, socket, sys
from oathward.core import frames, parsing
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

def tried(act):
    try:
        act()
        return "done"
    except OSError:
        return "refused"

def work(asked, files):
    name, file = next(files)
    content = file.readall().decode()
    {work}

sys.exit(parsing.serve(sys.argv[1:], lambda: None, work))
"""


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """What a child answers that works so; ``work``: Python, of (asked, name, content)."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = []

    def parse(work, content=b"content", asked=(), **limits):
        (tmp_path / "child_of_a_test.py").write_text(CHILD.replace("{work}", work))
        with held(content) as fd:
            made.append(Parser("child_of_a_test", dict(asked), [("list", fd)], **limits))
            return list(made[-1])

    yield parse
    for one in made:
        one.end()


def test_a_file_is_parsed_and_its_answers_come_in_their_order(parsed):
    work = (
        "yield {'name': name, 'content': content}; yield {'asked': asked}; yield {'none': next(files, None)}"
    )
    assert parsed(work, asked={"a": 1}) == [
        {"name": "list", "content": "content"},
        {"asked": {"a": 1}},
        {"none": None},
    ]


@pytest.mark.parametrize(
    "act",
    [
        "open('/etc/hosts')",
        "open({path!r})",
        "open({path!r}, 'w')",
        "os.listdir({folder!r})",
        "socket.socket()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
    ],
)
def test_a_parser_that_tries_for_more_gets_nothing(parsed, tmp_path, act):
    secret = tmp_path / "secret"
    secret.write_text("a key")
    act = act.format(path=str(secret), folder=str(tmp_path))
    assert parsed(f"yield {{'got': tried(lambda: {act})}}") == [{"got": "refused"}]
    assert secret.read_text() == "a key"


def test_a_parser_has_nothing_of_ours(parsed, monkeypatch):
    monkeypatch.setenv("OATHWARD_PLANTED", "a secret")
    said = "yield {'environment': sorted(os.environ), 'files': os.listdir('/proc/self/fd'), 'cwd': os.getcwd(), 'session': os.getsid(0) == os.getpid()}"
    [found] = parsed(said)
    assert "OATHWARD_PLANTED" not in found["environment"]
    # Standard ones, its parent, its file, and the folder it lists them by.
    assert len(found["files"]) <= 6
    assert (found["cwd"], found["session"]) == ("/", True)


def test_a_parser_that_eats_memory_is_told_and_costs_no_more_than_it_may(parsed):
    with pytest.raises(ParserError, match="memory") as error:
        parsed("kept = [bytes(1 << 20) for _ in range(4096)]; yield {}", memory_bytes_max=512 << 20)
    assert error.value.reason is Reason.LIMIT_EXCEEDED


def test_a_parser_that_never_ends_is_given_up(parsed):
    with pytest.raises(ParserError, match="nothing came") as error:
        parsed("while True:\n        pass\n    yield", silence_s_max=0.5)
    assert error.value.reason is Reason.OBSERVED_READER


def test_one_that_reads_on_is_not_silent(parsed, tmp_path, monkeypatch):
    """A file is read for longer than may be silent, in pieces that say so."""
    work = """parsing.HEARD_BYTES = 4
    file.seek(0)
    while file.read(4):
        [0 for _ in range(300_000)]
    yield {}"""
    assert parsed(work, b"x" * 400, silence_s_max=2.0) == [{}]


@pytest.mark.parametrize(
    ("work", "why"),
    [
        ("os._exit(0); yield", "ended"),
        ("raise ValueError('a secret of the file'); yield", "ended"),
        ("yield 5", "what cannot be"),
        ("parsing.frames.send(socket.socket(fileno=int(sys.argv[1])), {'odd': 1}); yield {}", "what cannot"),
        ("parsing.frames.send(socket.socket(fileno=int(sys.argv[1])), {'wrong': [1, 2, 3]}); yield {}", "what cannot"),
        ("parsing.frames.send(socket.socket(fileno=int(sys.argv[1])), {'wrong': ['a', 'b', 'none']}); yield {}", "what cannot"),
        ("os.write(int(sys.argv[1]), b'\\xff' * 9000); yield {}", "ended"),
    ],
)  # fmt: skip
def test_one_that_ends_or_says_what_is_nothing_is_told(parsed, capfd, work, why):
    with pytest.raises(ParserError, match=why):
        parsed(work)
    assert "secret" not in capfd.readouterr().err


def test_what_is_wrong_with_a_file_is_told_as_if_it_were_parsed_here(parsed):
    with pytest.raises(InputError) as error:
        parsed("raise InputError('line 3', 'is \\x1b[2J no line', reason=Reason.TRUNCATED); yield")
    one = error.value
    assert (one.where, one.reason) == ("line 3", Reason.TRUNCATED)
    assert one.why == "is \N{REPLACEMENT CHARACTER}[2J no line"


def test_answers_are_bounded_each_and_together(parsed):
    with pytest.raises(InputError, match="holds one thing") as error:
        parsed("yield {'x': 'x' * (parsing.ANSWER_BYTES_MAX + 1)}")
    assert error.value.reason is Reason.LIMIT_EXCEEDED
    with pytest.raises(ParserError, match="more than can be kept"):
        parsed("yield from ({'x': 'x' * 900} for _ in range(10))", bytes_max=5_000)
    over = "real = frames.send; frames.send = lambda to, head, **_: real(to, head); yield {'x': 'x' * 200}"
    assert parsed(over) == [{"x": "x" * 200}]
    with pytest.raises(ParserError, match="ended"):  # a child that sends what it should not
        parsed(over, answer_bytes_max=100)
    with pytest.raises(ParserError, match="ended"):  # two bytes of JSON may be an object of ours
        parsed("yield {'x': [[] for _ in range(frames.PARTS_MAX + 1)]}")


def test_one_that_cannot_be_confined_reads_nothing(parsed):
    with pytest.raises(SandboxError):
        parsed("yield {}", memory_bytes_max="all")


@pytest.mark.parametrize(
    "module",
    [
        "oathward.core.foreign",
        "oathward.discovery.lists.apart",
        "oathward.network.apart",
        "oathward.endpoints.apart",
    ],
)
def test_who_parses_for_us_is_confined(module):
    """As the system tells it of the process itself."""
    with held(b"") as fd, Parser(module, {}, [("x", fd)], memory_bytes_max=1 << 30) as parser:
        of = Path("/proc") / str(parser._process.pid)
        assert "\nSeccomp:\t2\n" in (of / "status").read_text()
        assert re.search(rf"Max address space +{1 << 30} ", (of / "limits").read_text())


def test_a_child_is_gone_with_its_parser(parsed):
    with held(b"") as fd:
        parser = Parser("oathward.network.apart", {}, [("x", fd)])
        process = parser._process.pid
        parser.end()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert parser._socket.fileno() == -1


def test_one_that_is_done_and_gone_before_its_parent_looks_again_has_told_all(parsed, monkeypatch):
    """On a busy machine a child is done with a short file before its parent runs on."""
    send_fds, begun = socket.send_fds, []
    start = workers.start

    def started(*arguments, **more):
        begun.append(start(*arguments, **more))
        return begun[-1]

    def sent(*what):
        size = send_fds(*what)
        begun[0][0].wait()
        return size

    monkeypatch.setattr(workers, "start", started)
    monkeypatch.setattr(socket, "send_fds", sent)
    assert parsed("yield {'content': content}") == [{"content": "content"}]


@pytest.mark.parametrize(
    "work",
    [
        "while True:\n        yield {}",
        "while True:\n        time.sleep(0.01); yield {}",
        "time.sleep(60)\n    yield {}",
        "while True:\n        pass\n    yield {}",
        "signal.signal(signal.SIGXCPU, signal.SIG_DFL)\n    while True:\n        pass\n    yield {}",
    ],
    ids=["answers for ever", "drips", "sleeps", "works", "works more"],
)
def test_one_that_never_ends_is_given_up_however_it_goes_on(parsed, work):
    with pytest.raises(ParserError, match="longer to read") as error:
        parsed(f"import signal, time\n    {work}", time_s_max=0.5)
    assert error.value.reason is Reason.LIMIT_EXCEEDED


def test_one_that_used_up_its_time_of_processors_is_told_so(parsed):
    """Whoever asked was slow itself meanwhile, and had not waited."""
    end = "import resource, signal\n    signal.raise_signal(signal.SIGXCPU)\n    yield {}"
    with pytest.raises(ParserError, match="longer to read"):
        parsed(end)


def test_a_parser_begins_no_thread(parsed):
    work = "import threading\n    try:\n        threading.Thread(target=len, args=((),)).start()\n    except RuntimeError as error:\n        yield {'why': str(error)}"
    assert parsed(work) == [{"why": "can't start new thread"}]
