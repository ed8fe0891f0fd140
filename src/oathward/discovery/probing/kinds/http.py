"""HTTP in clear: one ``HEAD /``, for what the server calls itself.

Rules:
- The head of one answer is read; a body is not asked for. No redirect is followed, nobody signs in.

Source: RFC 9110 §9.3.2 (HEAD: no side effect, no content).
"""

from __future__ import annotations

from oathward.discovery.packets.heads.http import HEAD, HEAD_BYTES_MAX
from oathward.discovery.probing.overheard import Overheard
from oathward.discovery.probing.probe import Outcome, Probe, Told

_BEGINS = b"HTTP/1."


class Asking:
    """A client's side of one request."""

    def __init__(self, address: str, port: int, _called: str) -> None:
        self.done = False
        self._host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._port = port
        self._said = b""

    def begin(self) -> bytes:
        """Give the request."""
        lines = ("HEAD / HTTP/1.1", f"Host: {self._host}", "User-Agent: oathward-probe", "Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def take(self, data: bytes) -> bytes:
        """Take bytes of the answer."""
        self._said += data
        self.done = not self._is_http or b"\r\n\r\n" in self._said or len(self._said) > HEAD_BYTES_MAX
        return b""

    def told(self) -> Told:
        """Say what the server calls itself."""
        head, end, _ = self._said.partition(b"\r\n\r\n")
        if not self._is_http:
            return Told(Outcome.OTHER)
        if not end:
            return Told(Outcome.OTHER if len(self._said) > HEAD_BYTES_MAX else Outcome.SILENT)
        overheard = Overheard(HEAD, self._port)
        overheard.take(head + end)
        return Told(Outcome.ANSWERED, overheard.facts())

    @property
    def _is_http(self) -> bool:
        return self._said[: len(_BEGINS)] == _BEGINS[: len(self._said)]


PROBE = Probe(
    words="what its web server calls itself",
    port=80,
    order=20,
    says=frozenset(("server-software",)),
    talk=Asking,
)
