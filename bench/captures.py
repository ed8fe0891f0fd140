"""A capture of a hospital's mixed traffic, written for benchmarks: TLS, HL7 v2, DICOM and DNS side by side, the same for the same seed.

Rules:
- By packets about 60 % TLS, 15 % HL7 v2, 15 % DICOM, 10 % DNS; sizes as in the simple internet mix: many small, some middling, some full.
- Flows overlap: each next frame is of a random flow of those that are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests import captured as write

SHARES = (("tls", 0.60), ("hl7", 0.15), ("dicom", 0.15), ("dns", 0.10))
OPEN = 200
STEP_US = 50


def frames(count: int, seed: int, only: str = "") -> Iterator[bytes]:
    """Give so many frames; of one kind alone where ``only`` names it."""
    random = Random(seed)
    shares = [share for share in SHARES if only in ("", share[0])]
    given = dict.fromkeys((name for name, _ in shares), 0)
    waiting: list[tuple[str, list[bytes]]] = []
    total = number = 0
    while total < count:
        while len(waiting) < OPEN:
            name = min(shares, key=lambda share: given[share[0]] / share[1])[0]
            number += 1
            made = _MAKE[name](random, number)
            given[name] += len(made)
            waiting.append((name, made[::-1]))
        at = random.randrange(len(waiting))
        yield waiting[at][1].pop()
        total += 1
        if not waiting[at][1]:
            waiting[at] = waiting[-1]
            waiting.pop()


def capture(count: int, seed: int) -> bytes:
    """Write a pcap of so many packets."""
    return write.pcap(frames(count, seed), step_us=STEP_US)


def _ends(number: int, port: int) -> dict[str, object]:
    client = f"10.{1 + number % 3}.{number // 250 % 250}.{1 + number % 250}"
    return {
        "client": client,
        "server": f"10.9.0.{1 + number % 40}",
        "source": 20_000 + number % 40_000,
        "port": port,
    }


def _tls(random: Random, number: int) -> list[bytes]:
    talk = write.Talk(**_ends(number, 443))
    talk.say(0, write.client_hello(f"host-{number % 300}.example")).say(1, write.server_hello(newest=True))
    for _ in range(random.randrange(20, 60)):
        size = random.choice((40, 40, 40, 40, 40, 40, 40, 540, 540, 540, 540, 1_400))
        talk.say(random.randrange(2), write.tls_record(random.randbytes(size), 23))
        if random.random() < 0.4:
            talk.add(random.randrange(2), b"")
    return talk.end().frames


def _hl7(random: Random, number: int) -> list[bytes]:
    talk = write.Talk(**_ends(number, 2_575))
    sender = b"PUMP%d" % (number % 500)
    for n in range(random.randrange(5, 25)):
        message = write.HL7_MESSAGE.replace(b"|PUMP^", b"|" + sender + b"^").replace(
            b"||97|", b"||%d|" % random.randrange(80, 100)
        )
        talk.say(0, write.mllp(message.replace(b"|77|", b"|%d|" % (n + 1_000 * number))))
        talk.add(1, b"")
        talk.say(1, write.mllp(write.HL7_ACK))
        talk.add(0, b"")
    return talk.end().frames


def _dicom(random: Random, number: int) -> list[bytes]:
    talk = write.Talk(**_ends(number, 11_112))
    title = b"CT%02d" % (number % 40)
    talk.say(0, write.dicom_associate(1, calling=title)).say(1, write.dicom_associate(2, calling=title))
    for _ in range(random.randrange(1, 4)):
        stored = write.dicom_store(
            title, serial=b"SN-%d" % (number % 40), pixels=random.randrange(40_000, 120_000)
        )
        for at in range(0, len(stored), 2_896):
            talk.say(0, stored[at : at + 2_896])
            talk.add(1, b"")
    return talk.end().frames


def _dns(random: Random, number: int) -> list[bytes]:
    ends = _ends(number, 53)
    client, server, source = str(ends["client"]), str(ends["server"]), int(str(ends["source"]))
    host = random.randrange(500)
    name = f"host-{host}.hospital.example"
    question = write.datagram(write.dns_question(name), source, 53, client, server)
    answer = write.dns_answer(name, f"10.9.{1 + host // 250}.{1 + host % 250}")
    return [question, write.datagram(answer, 53, source, server, client)]


_MAKE = {"tls": _tls, "hl7": _hl7, "dicom": _dicom, "dns": _dns}
