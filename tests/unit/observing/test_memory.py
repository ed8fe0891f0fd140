"""Promises about memory: as much of a source as there is, in at most 500 MB, reader and all."""

import gzip
import json
import subprocess
import sys

import pytest

from oathward.app import create
from oathward.core.settings import load

T = 1_790_000_000
LINES = 2_000_000
MEMORY_BYTES_MAX = 500_000_000

WATCHED = """
import resource, sys
from oathward.cli.main import run
code = run(sys.argv[1:])
own = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))
readers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(int(own) * 1024, readers * 1024, file=sys.stderr)  # ru_maxrss would count what the process that started this one had
sys.exit(code)
"""


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_a_source_of_half_a_gigabyte_is_read_in_bounded_memory(tmp_path):
    create(load(tmp_path / "data"))
    log = tmp_path / "conn.log.gz"
    with gzip.open(log, "wt", compresslevel=1) as file:
        for n in range(LINES):
            said = {
                "ts": T + n / 100,
                "uid": f"C{n}",
                "id.orig_h": f"10.1.{n % 8}.{n % 251}",
                "id.orig_p": 1_024 + n % 60_000,
            }
            said |= {
                "id.resp_h": f"10.2.0.{n % 5}",
                "id.resp_p": 2_575,
                "proto": "tcp",
                "duration": 0.5,
                "orig_bytes": 5,
                "resp_bytes": 1,
            }
            file.write(json.dumps(said | {"conn_state": "SF", "history": "ShADadFf"}) + "\n")
    command = [sys.executable, "-c", WATCHED, "observe", str(log), "--data", str(tmp_path / "data"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["flows"] == LINES
    own, readers = map(int, done.stderr.split()[-2:])
    assert max(own, readers) <= MEMORY_BYTES_MAX
    print(f"parent {own / 1e6:.0f} MB, reader {readers / 1e6:.0f} MB")
