"""``oathward send``: send HL7 v2 files over MLLP and say what was answered.

Rules:
- A file may hold one message, several, a batch, or MLLP frames; ``-`` is standard input.
- Line feeds become carriage returns, as HL7 wants; ``--as-is`` sends the bytes as they are.
- One connection, one message outstanding, no repeats: what was not answered is reported, not sent again.
- The bytes of a message, its control id and what an answer quotes are never printed: file, number, code.

Exit codes: 0 all accepted (AA, CA, or no answer asked for); 65 one was refused, or a file holds no message;
75 one was not answered.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import typer

from oathward.cli.output import JsonOption, emit
from oathward.core.errors import DecodeError, InputError
from oathward.core.reasons import BY_CODE, Reason

APP = typer.Typer(help="Send HL7 v2 files over MLLP.", add_completion=False)

_GOOD = ("AA", "CA")
_NO_ANSWER, _NONE_ASKED = "no answer", "none asked"
_BAR_FROM = 20
_PROBLEMS_SHOWN_MAX = 5
_LATE_REFUSAL_S = 0.5
"""How long to listen for a refusal where the sender asked for no other answer."""


@dataclass(slots=True)
class Answers:
    """What was answered to one file.

    Args:
        codes: acknowledgement code -> how often. problems: message number in the file -> code and reason.
    """

    file: str
    messages: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)


@APP.command()
def send(  # noqa: PLR0913, PLR0917  one parameter an option
    files: Annotated[
        list[str], typer.Argument(help="Files of HL7 v2 messages; - is standard input.", metavar="FILES…")
    ],
    to: Annotated[str, typer.Option(help="Where to send.", metavar="HOST:PORT")],
    ca: Annotated[
        Path | None, typer.Option(help="PEM of who signed the server's certificate; means TLS.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM of the client's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its private key.")] = None,
    rate: Annotated[float, typer.Option(help="Messages a second at most; 0 is no limit.", min=0)] = 0.0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.", min=0.1)] = 30.0,
    server_name: Annotated[str, typer.Option(help="Name in the server's certificate; else the host.")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="Use TLS; --ca, --cert and --key imply it.")] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Do not turn line feeds into carriage returns.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send files over MLLP, one message after another, and print the answers."""
    work = [(name, messages_of(_read(name), as_is=as_is)) for name in files]
    for name, messages in work:
        if not messages:
            raise InputError(name, "there is no message in it")
    context = _tls_context(ca, cert, key) if tls or ca or cert or key else None
    host, port = _address(to)
    with _Connection(host, port, context, server_name or host, timeout) as connection:
        results = _send_all(work, connection, rate, quiet=as_json)
    totals = sum((r.codes for r in results), Counter[str]())
    good = sum(totals[code] for code in (*_GOOD, _NONE_ASKED))
    report = {
        "files": [
            {"file": r.file, "messages": r.messages, "answers": dict(r.codes), "problems": {str(n): p for n, p in r.problems.items()}}
            for r in results
        ],
        "sent": totals.total(),
        "accepted": good,
        "refused": totals.total() - good - totals[_NO_ANSWER],
        "unanswered": totals[_NO_ANSWER],
    }  # fmt: skip
    emit(report, as_json=as_json, human=lambda: _say(results))
    if totals[_NO_ANSWER]:
        raise typer.Exit(Reason.RECIPIENT_NO_ANSWER.answer.exit_code)
    if good < totals.total():
        raise typer.Exit(Reason.INPUT_INVALID.answer.exit_code)


def messages_of(raw: bytes, *, as_is: bool = False) -> list[bytes]:
    """Cut the content of a file into messages.

    Args:
        raw: one message, several, a batch, or MLLP frames.
        as_is: leave line ends alone.

    Raises:
        DecodeError: broken frames or batch.
    """
    from oathward.protocols.hl7v2.batch import split_batch
    from oathward.protocols.hl7v2.mllp import VT, FrameLimits, Framer

    bodies = [raw]
    if raw.lstrip(b"\r\n \t")[:1] == bytes([VT]):
        framer = Framer(FrameLimits(frame_bytes_max=len(raw)))
        bodies = framer.feed(raw)
        framer.close()
    if not as_is:
        bodies = [b.replace(b"\r\n", b"\r").replace(b"\n", b"\r") for b in bodies]
    messages = [m for body in bodies for m in split_batch(body)]
    return [m if as_is else m.strip(b"\r") + b"\r" for m in messages if m.strip()]


class _Connection:
    """One MLLP connection, opened when first needed; after trouble the next message gets a new one."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, name: str, timeout_s: float) -> None:
        self._where, self._tls, self._name, self._timeout_s = (host, port), tls, name, timeout_s
        self._socket: socket.socket | None = None
        self._frames: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close, if open."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def exchange(self, message: bytes) -> tuple[str, str]:
        """Send one message and give the code of its answer and the reason it states.

        Raises:
            InputError: nothing listens there, or TLS was refused.
        """
        from oathward.protocols.hl7v2.mllp import wrap

        try:
            connection = self._open()
        except OSError as error:
            why = f"cannot connect: {_trouble(error, _OPENING_TLS if self._tls else '')}"
            raise InputError("--to", why, reason=Reason.RECIPIENT_UNREACHABLE) from error
        wanted, control_id = _asked(message)
        connection.settimeout(self._timeout_s if wanted else _LATE_REFUSAL_S)
        try:
            connection.sendall(wrap(message))
            return self._answer(connection, control_id)
        except TimeoutError:
            if not wanted:
                return _NONE_ASKED, ""
            self.close()
            return _NO_ANSWER, f"nothing came within {self._timeout_s:g} s"
        except DecodeError as error:
            self.close()
            return _NO_ANSWER, f"what came is no HL7 acknowledgement ({error.reason.code})"
        except OSError as error:
            self.close()
            return _NO_ANSWER, _trouble(error, _OVER_TLS if self._tls else _PLAIN)

    def _open(self) -> socket.socket:
        from oathward.protocols.hl7v2.mllp import Framer

        if self._socket is None:
            self._framer, self._frames = Framer(), []
            raw = socket.create_connection(self._where, self._timeout_s)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._tls.wrap_socket(raw, server_hostname=self._name) if self._tls else raw
        return self._socket

    def _answer(self, connection: socket.socket, control_id: bytes) -> tuple[str, str]:
        """Wait for the answer to this message; a second one to an earlier message is passed over."""
        from oathward.protocols.hl7v2.reader import decode

        while True:
            while not self._frames:
                data = connection.recv(65_536)
                if not data:
                    raise ConnectionAbortedError
                self._frames += self._framer.feed(data)
            answer = decode(self._frames.pop(0))
            code, about, why = (
                answer.get("MSA-1"),
                answer.get("MSA-2"),
                answer.get("ERR-5.1") or answer.get("MSA-3"),
            )
            if control_id and about and about.reveal().encode() != control_id:
                continue
            # What an answer quotes might be a patient's: only a code and our own reasons are told.
            word = why.reveal() if why else ""
            return (code.reveal()[:2] if code else _NO_ANSWER), word if word in BY_CODE else ""


def _asked(message: bytes) -> tuple[bool, bytes]:
    """Say whether the sender wants an answer to good news, and MSH-10; empty where it cannot be read."""
    from oathward.protocols.hl7v2.ack import mode
    from oathward.protocols.hl7v2.reader import decode

    try:
        read = decode(message)
    except DecodeError:
        return True, b""
    asked = mode(read)
    return asked.wants_accept(good=True) or asked.wants_application(good=True), read.control_id


def _send_all(
    work: list[tuple[str, list[bytes]]], connection: _Connection, rate: float, *, quiet: bool
) -> list[Answers]:
    results, begun = [], time.monotonic()
    total = sum(len(messages) for _, messages in work)
    with _progress(total, shown=not quiet) as advance:
        number = 0
        for name, messages in work:
            answers = Answers(name, len(messages))
            results.append(answers)
            for place, message in enumerate(messages, 1):
                if rate:
                    time.sleep(max(0.0, begun + number / rate - time.monotonic()))
                number += 1
                code, reason = connection.exchange(message)
                answers.codes[code] += 1
                if code not in (*_GOOD, _NONE_ASKED):
                    answers.problems[place] = (
                        f"{code}: {reason}" if code == _NO_ANSWER else f"{code} {reason}".strip()
                    )
                advance()
    return results


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr for long work at a terminal."""
    if not shown or total < _BAR_FROM or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("sending", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sending", total=total)
        yield lambda: bar.advance(task)


def _say(results: list[Answers]) -> None:
    width = max((len(r.file) for r in results), default=0)
    for r in results:
        said = (
            ", ".join(f"{code} × {count}" if count > 1 else code for code, count in r.codes.items())
            or "no message in it"
        )
        print(f"{r.file:<{width}}  {said}")
        for place, problem in list(r.problems.items())[:_PROBLEMS_SHOWN_MAX]:
            print(f"  message {place}: {problem}")
        if len(r.problems) > _PROBLEMS_SHOWN_MAX:
            print(f"  … and {len(r.problems) - _PROBLEMS_SHOWN_MAX} more")


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        why = f"cannot be read: {_words(error)}"
        raise InputError(name, why, reason=Reason.NOT_FOUND) from error


def _address(to: str) -> tuple[str, int]:
    host, _, port = to.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and len(port) <= len(str(_PORT_MAX))):
        raise InputError("--to", "write HOST:PORT")
    if not 1 <= int(port) <= _PORT_MAX:
        raise InputError("--to", f"a port is 1 to {_PORT_MAX}")
    return host.strip("[]"), int(port)


_PORT_MAX = 65_535
_SSL_WORDS = {
    "WRONG_VERSION_NUMBER": "what listens there does not speak TLS; leave --tls, --ca, --cert and --key out",
    "CERTIFICATE_REQUIRED": "the server wants a certificate: give --cert and --key",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server refused our certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not trust who signed our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our certificate is revoked",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refused the handshake; it may want --cert and --key",
}
"""OpenSSL's reasons, without the version of TLS in front of some."""


_OPENING_TLS = "; perhaps TLS is not spoken there"
_OVER_TLS = "; perhaps the server wants a certificate that it knows: --cert, --key"
_PLAIN = "; a port for TLS does that to plain senders: --tls, --ca, --cert, --key"


def _trouble(error: OSError, hint: str) -> str:
    """Say what is wrong with a connection, and what to do where that is known.

    Args:
        hint: what it may be when nothing is said: no answer, or a closed connection.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}; see --ca and --server-name"
    if isinstance(error, ssl.SSLEOFError | ConnectionAbortedError | ConnectionResetError | BrokenPipeError):
        return f"the connection was closed without an answer{hint}"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").upper().replace("TLSV13_ALERT_", "").replace(" ", "_")
        return _SSL_WORDS.get(reason, f"TLS: {reason.lower().replace('_', ' ') or 'refused'}")
    if isinstance(error, TimeoutError):
        return f"no answer in time{hint}"
    return _words(error)


def _words(error: OSError) -> str:
    """Say an error of the system in words."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused, nothing listens there"
    if isinstance(error, socket.gaierror):
        return "no such host name"
    return (error.strerror or "refused").lower()


def _tls_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """Make TLS for a client.

    Raises:
        InputError: a file that cannot be used; names its option.
    """
    for option, file in (("--ca", ca), ("--cert", cert), ("--key", key)):
        if file is not None:
            _readable(option, file)
    if key and not cert:
        raise InputError("--key", "goes with --cert")
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except ssl.SSLError as error:
        raise InputError("--ca", f"{ca} holds no certificate in PEM") from error
    if cert:
        try:
            context.load_cert_chain(cert, key, password=lambda: b"")
        except ssl.SSLError as error:
            raise _unfit(cert, key, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _readable(option: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise InputError(
            option, f"{file} cannot be read: {_words(error)}", reason=Reason.NOT_FOUND
        ) from error


def _unfit(cert: Path, key: Path | None, error: ssl.SSLError) -> InputError:
    """Say which of certificate and key it is."""
    if any(
        word in (error.reason or "") for word in ("MISMATCH", "NO_CERTIFICATE_ASSIGNED")
    ):  # the latter: of another kind
        return InputError("--key", f"{key or cert} is not the key of {cert}")
    if b"-----BEGIN CERTIFICATE-----" not in cert.read_bytes():
        return InputError("--cert", f"{cert} holds no certificate in PEM")
    if key is None:
        return InputError("--key", f"give the private key of {cert}")
    return InputError("--key", f"{key} holds no private key in PEM, or one with a password")
