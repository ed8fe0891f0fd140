"""Does a server answer each message once, and rightly? ``python -m bench.peers.correctness [NAME|HOST:PORT …]``.

Rules:
- A rate means something only for a server that answers rightly, so this table stands beside every benchmark.
- One small client, four cases, all on connections that stay open; an answer counts when its MSA-2 is the id of
  the message and its MSA-1 is AA or CA.
- After the answers that are due it listens a little longer: too many answers are wrong answers.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

START, END = b"\x0b", b"\x1c\r"
ANSWER_S_MAX = 3.0
QUIET_S = 0.3
GAP_S = 0.1


class Client:
    """One connection that counts answers."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=ANSWER_S_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed = False
        self._buffer = b""

    def send(self, *segments: bytes) -> None:
        """Send each part in a TCP segment of its own."""
        for number, segment in enumerate(segments):
            if number:
                time.sleep(GAP_S)
            try:
                self.socket.sendall(segment)
            except OSError:
                self.closed = True

    def answers(self, due: int) -> list[str]:
        """Collect answers until those due are there and it is quiet; ids of good ones, else ``CODE id``."""
        found: list[str] = []
        end = time.monotonic() + ANSWER_S_MAX
        while not self.closed and time.monotonic() < end:
            self.socket.settimeout(QUIET_S if len(found) >= due else ANSWER_S_MAX)
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                data = b""
            self.closed = not data
            *frames, self._buffer = (self._buffer + data).split(END)
            found += [answered(frame) for frame in frames]
        return found

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def message(control_id: str) -> bytes:
    """Frame a made-up ORU^R01."""
    lines = (
        f"MSH|^~\\&|PUMP|WARD|TEST|LAB|20260101120000||ORU^R01^ORU_R01|{control_id}|P|2.6",
        "PID|1||4711^^^TESTHOSP^MR||TESTPATIENT^ANNA",
        "OBR|1|||69965^MDC_DEV_PUMP_INFUS^MDC",
        "OBX|1|NM|157784^MDC_FLOW_FLUID_PUMP^MDC||12.5|265266^MDC_DIM_MILLI_L_PER_HR^MDC|||||F",
    )
    return START + "\r".join(lines).encode() + b"\r" + END


def answered(frame: bytes) -> str:
    """Give the id an acknowledgement is for; with its code in front when that is not a good one."""
    for line in frame.lstrip(START).split(b"\r"):
        parts = line.split(b"|")
        if parts[0] == b"MSA" and len(parts) > 2:
            code, control_id = parts[1].decode(), parts[2].decode()
            return control_id if code in ("AA", "CA") else f"{code} {control_id}"
    return "no MSA"


def judge(client: Client, ids: list[str]) -> str:
    """Say ``ok``, or what came instead of one good answer for each id."""
    got = client.answers(len(ids))
    if got == ids:
        return "ok"
    closed = ", closed" if client.closed else ""
    if not got:
        return f"no answer{closed}"
    lost = [name for name in ids if name not in got]
    if lost:
        return f"lost {', '.join(lost)}{closed}"
    return f"{len(got)} answers for {len(ids)}: {', '.join(got)}{closed}"


def in_turn(client: Client) -> str:
    """Send three messages, each after the answer to the one before."""
    for control_id in ("M1", "M2", "M3"):
        client.send(message(control_id))
        verdict = judge(client, [control_id])
        if verdict != "ok":
            return f"at {control_id}: {verdict}"
        if client.closed and control_id != "M3":
            return f"closes after {control_id}"
    return "ok"


def two_in_one(client: Client) -> str:
    """Send two messages in one segment."""
    client.send(message("M1") + message("M2"))
    return judge(client, ["M1", "M2"])


def one_in_two(client: Client) -> str:
    """Send one message over two segments."""
    whole = message("M1")
    client.send(whole[:100], whole[100:])
    return judge(client, ["M1"])


def terminator_split(client: Client) -> str:
    """Send FS in one segment, and CR in the next."""
    whole = message("M1")
    client.send(whole[:-1], whole[-1:])
    return judge(client, ["M1"])


CASES: dict[str, Callable[[Client], str]] = {
    "three in turn": in_turn,
    "two in one segment": two_in_one,
    "one over two segments": one_in_two,
    "FS and CR apart": terminator_split,
}


def check(host: str, port: int) -> dict[str, str]:
    """Run every case on a connection of its own."""
    verdicts = {}
    for name, case in CASES.items():
        client = Client(host, port)
        try:
            verdicts[name] = case(client)
        finally:
            client.close()
    return verdicts


def table(rows: dict[str, dict[str, str]]) -> str:
    """Lay the verdicts out as a Markdown table."""
    head = ["server", *CASES]
    body = [[name, *verdicts.values()] for name, verdicts in rows.items()]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [head, *body]
    ]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def remarks(rows: dict[str, dict[str, str]]) -> list[str]:
    """Say of whom no rate compares, and why."""
    found = []
    for name, verdicts in rows.items():
        in_turn_verdict = verdicts["three in turn"]
        if in_turn_verdict.startswith("closes"):
            found.append(f"{name} serves one message a connection: rate it only with a new connection each.")
        elif set(verdicts.values()) != {"ok"}:
            found.append(
                f"{name} answers wrongly on a connection kept open: no rate of it there means anything."
            )
    return found


def main(names: list[str]) -> int:
    """Print the table for the peers named (all when none is), or for servers at ``HOST:PORT``."""
    from bench.peers import launch, setup

    rows = {}
    for name in names or setup.SERVERS:
        with ExitStack() as stack:
            if ":" in name:
                host, _, port = name.rpartition(":")
                rows[name] = check(host, int(port))
            else:
                peer = stack.enter_context(launch.running(name))
                rows[f"{name} {peer.version}"] = check("127.0.0.1", peer.port)
    print(table(rows))
    for line in remarks(rows):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
