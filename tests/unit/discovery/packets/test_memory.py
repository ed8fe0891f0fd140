"""A capture larger than what a process may keep: hostile on purpose, read in bounded memory."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
MEGABYTES_MAX = 500

INSIDE = """
    import struct, sys
    from pathlib import Path
    from tests import captured as write
    from oathward.discovery.model import Around
    from oathward.discovery.observers.pcap import OBSERVER

    SIZE = {size}

    class Endless:
        '''Frames made while they are read: each of another flow, with a frame of HL7 that never ends, early or in its place.'''
        def __init__(self):
            self.given = self.number = 0
        def read(self, size):
            if self.given >= SIZE:
                return b""
            parts = [write.pcap([])] if not self.given else []
            for _ in range(200):
                self.number += 1
                n = self.number // 2
                talk = write.Talk(f"10.{{n >> 16 & 255}}.{{n >> 8 & 255}}.{{n & 255}}", source=1_024 + n % 60_000, begin=False)
                frame = talk.frame(0, b"\\x0bMSH|" + b"x" * 1_300, number=1_000 + (3_000 if self.number % 2 else 0))
                seconds, micro = divmod(self.number * 50, 1_000_000)
                parts += [struct.pack("<LLLL", 1_700_000_000 + seconds, micro, len(frame), len(frame)), frame]
            data = b"".join(parts)
            self.given += len(data)
            return data

    flows = sum(seen.flows.height for seen in OBSERVER.read(Endless(), Around(realm="a-site")) if seen.flows is not None)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print(flows, int(peak.split()[1]) // 1024)  # ru_maxrss would count what the process that started this one had
"""


@pytest.mark.parametrize("size", [5_000_000, pytest.param(200_000_000, marks=pytest.mark.long)])
def test_a_hostile_capture_is_read_in_bounded_memory(size):
    """The small one in every run, 200 MB in the long one: 70,000 flows, each with bytes that wait."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INSIDE.format(size=size))],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=110, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    flows, megabytes = map(int, ran.stdout.split())
    assert flows >= size // 3_000
    assert megabytes < MEGABYTES_MAX
