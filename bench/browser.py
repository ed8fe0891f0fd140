"""What benches of pages share: one connection kept open to a server on this machine, and the table of times."""

from __future__ import annotations

import http.client
import statistics
from collections.abc import Mapping, Sequence


class Line:
    """One connection kept open.

    Args:
        timeout_s: how long an answer may take.
    """

    def __init__(self, port: int, timeout_s: float) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ask(
        self, method: str, path: str, cookie: str, form: str = ""
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask as a browser would that has this cookie (``name=value``); gives the answer and its body."""
        headers = {"Cookie": cookie}
        if form:
            headers |= {
                "Origin": f"http://127.0.0.1:{self._port}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
        self._connection.request(method, path, form or None, headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


def say_pages(times_ms: Mapping[str, Sequence[float]], goal_ms: float) -> list[str]:
    """Print the times of each page; gives those whose p95 is over the goal."""
    print(f"\n{'page':<24} {'median':>8} {'p95':>8} {'worst':>8}  ms")
    slow = []
    for name, values in times_ms.items():
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        print(f"{name:<24} {statistics.median(values):8.1f} {p95:8.1f} {ordered[-1]:8.1f}")
        slow += [name] * (p95 > goal_ms)
    return slow
