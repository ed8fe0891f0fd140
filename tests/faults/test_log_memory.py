"""Logs of any size are read in bounded memory: each in a process of its own, whose largest size the system tells."""

from __future__ import annotations

import subprocess
import sys

import pytest

RSS_KIB_MAX = 500 * 1024

READ = """
import io, json, sys
from oathward.discovery.model import Around
from oathward.discovery.observers.zeek import OBSERVER
from oathward.discovery.totals import totals

class Made(io.RawIOBase):
    "A source of so many bytes that repeats what it has."
    def __init__(self, pattern, size):
        self.pattern, self.left, self.at = pattern * (1 + (1 << 20) // len(pattern)), size, 0
    def readable(self):
        return True
    def readinto(self, buffer):
        size = min(len(buffer), self.left, len(self.pattern) - self.at)
        buffer[:size] = self.pattern[self.at : self.at + size]
        self.left, self.at = self.left - size, (self.at + size) % len(self.pattern)
        return size

def conn(n, **more):
    one = {"ts": 1700000000.5, "uid": f"C{n}", "id.orig_h": f"10.0.{n >> 8 & 255}.{n & 255}", "id.orig_p": 50000, "id.resp_h": "10.1.0.9", "id.resp_p": 443}
    return json.dumps(one | {"proto": "tcp", "conn_state": "SF", "duration": 1.5, "orig_bytes": 1, "resp_bytes": 2} | more).encode() + b"\\n"

lines = b"".join(conn(n) for n in range(5000))
pattern = {
    "fine": lines,
    "broken": lines + b"{nonsense\\n",
    "tiny": b"{}\\n",
    "empty": b"\\n",
    "endless": b"{" + b"x" * 1000,
    "names": b"".join(json.dumps({"ts": 1.7e9, "_path": "dhcp", "mac": f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}", "host_name": "x" * 200}).encode() + b"\\n" for n in range(60000)),
}[sys.argv[1]]
flows = 0
for part in OBSERVER.read(io.BufferedReader(Made(pattern, int(sys.argv[2]) << 20), 1 << 22), Around(realm="r", name="conn.log" if sys.argv[1] in ("fine", "broken") else "")):
    if part.flows is not None:
        flows += totals(part.flows)["flows"].sum()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(peak.split()[1], flows)  # ru_maxrss would count what the process that started this one had
"""


@pytest.mark.long  # that blocks are bounded, and lines: tests/unit/discovery/observers/test_zeek.py
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("what", "size_mb"),
    [("fine", 2_000), ("broken", 100), ("tiny", 6), ("empty", 200), ("endless", 2_000), ("names", 200)],
)
def test_a_log_of_any_size_and_sort_is_read_in_bounded_memory(what: str, size_mb: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, what, str(size_mb)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    rss_kib, flows = map(int, done.stdout.split())
    assert rss_kib <= RSS_KIB_MAX
    assert (flows > 0) == (what in ("fine", "broken"))
