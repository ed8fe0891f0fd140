"""The load generator and the sink of the speed tests agree on what passed between them."""

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest
from bench.message import SIZE_BYTES, template

from oathward_sim.hl7 import header_field
from oathward_sim.pki import Authority


@contextmanager
def sink(*options):
    """Run a sink; give (ports, ask)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.sink", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(command):
        process.stdin.write(f"{command}\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield json.loads(process.stdout.readline())["ports"], ask
    finally:
        process.communicate(timeout=10)


def load(port, *options):
    done = subprocess.run(
        [sys.executable, "-m", "bench.loadgen", f"127.0.0.1:{port}", "--warm-up", "0", *options],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("shape", [("1", "1"), ("8", "1"), ("4", "8")])
def test_every_message_is_answered_and_counted_once(shape):
    connections, window = shape
    with sink("--ports", "0", "0", "--distinct") as (ports, ask):
        code, said = load(
            ports[1], "--connections", connections, "--window", window, "--count", "500", "--seconds", "20"
        )
        stats = ask("stats")
        assert ask("reset")["messages"] == 0
    assert code == 0
    assert said["acked"] == said["sent"] == stats["messages"] == 500
    assert said["acked_measured"] > 0
    assert said["p50_ms"] <= said["p99_ms"] <= said["max_ms"]
    assert [p["messages"] for p in stats["ports"]] == [0, 500]
    assert stats["ports"][1]["twice"] == 0


def test_ids_that_come_again_are_counted_as_second_copies():
    with sink("--distinct") as (ports, ask):
        for _ in range(2):
            load(ports[0], "--count", "50", "--seconds", "20", "--first-id", "7")
        assert ask("stats")["ports"][0]["twice"] == 50


def test_a_rate_is_kept():
    with sink() as (ports, _):
        _, said = load(ports[0], "--connections", "4", "--rate", "200", "--seconds", "1.5")
    assert 150 < said["acked_per_s"] < 250


def test_mutual_tls_with_a_certificate_a_sender(tmp_path):
    server, devices = Authority(tmp_path, "server"), Authority(tmp_path, "devices")
    issued = server.issue("sink")
    for name in ("LOAD-000", "LOAD-001"):
        devices.issue(name)
    wanted = (
        "--cert",
        str(issued.cert),
        "--key",
        str(issued.key),
        "--ca",
        str(devices.file),
        "--keep",
        str(tmp_path / "kept"),
    )
    with sink(*wanted) as (ports, _):
        code, said = load(
            ports[0], "--connections", "2", "--senders", "2", "--sender", "LOAD", "--count", "40", "--seconds", "20",
            "--ca", str(server.file), "--cert", str(tmp_path / "{}.pem"), "--key", str(tmp_path / "{}.key"),
        )  # fmt: skip
    assert (code, said["acked"], said["tls"]) == (0, 40, True)
    kept = (tmp_path / "kept").read_bytes().split(b"\x1c\r")[:-1]
    assert {header_field(m.lstrip(b"\x0b"), 3) for m in kept} == {b"LOAD-000", b"LOAD-001"}


def test_a_server_that_goes_away_is_told():
    with sink() as (ports, _):
        port = ports[0]
    done = subprocess.run(
        [sys.executable, "-m", "bench.loadgen", f"127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode != 0


def test_the_message_has_one_size_twenty_observations_and_a_patient_in_turn():
    form = template("LOAD-007", 30)
    messages = [form.message(n) for n in (0, 29, 31, 999_999_999)]
    assert {len(m) for m in messages} == {SIZE_BYTES}
    assert {m.count(b"\rOBX|") for m in messages} == {20}
    assert len({form.message(n).split(b"\r")[1] for n in range(60)}) == 30
    assert form.message(1) == form.message(1)
    with pytest.raises(ValueError, match="at most 8"):
        template("TOO-LONG-A-NAME", 1)
