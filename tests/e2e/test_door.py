"""The door under load: heavy messages hold up nobody, strangers have their room, groups wait for nobody alone."""

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.site import Site, bundle, local
from tests.wire import Client, code_of, frame, oru

TEXT = "OBX|2|TX|8251-1^Comment^LN||{}\r"
HEAVY_BYTES = 60_000


def heavy(control_id, size_bytes=HEAVY_BYTES, sender="MON1", **fields):
    return oru(
        control_id, sender=sender, more=TEXT.format("breathing calmly " * (size_bytes // 17)), **fields
    )


class Elsewhere(Client):
    """A connection from another address of this machine: nobody's."""

    def __init__(self, port):
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=20, source_address=("127.0.0.2", 0)
        )
        self._buffer = b""


def made(folder, recipient, mllp="", more=""):
    site = Site.make(folder, mllp=mllp, more=more)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory, recipient):
    site = made(tmp_path_factory.mktemp("door"), recipient).start()
    yield site
    site.stop()


def beside(site):
    return site.status("gateway")["counts"].get("message.beside", 0)


def refusals(site, reason):
    bodies = [record["body"] for record in site.records("connection.refused")]
    return sum(body["count"] for body in bodies if body["reason"] == reason)


def test_answers_and_deliveries_keep_their_order_around_a_heavy_message(site, recipient):
    values = ["31.5", "32.5", "33.5", "34.5", "35.5"]
    sent = [
        heavy(f"O{n}", value=value) if n in {1, 3} else oru(f"O{n}", value=value)
        for n, value in enumerate(values)
    ]
    before = beside(site)
    with Client(site.port(), timeout_s=60) as client:
        client.write(b"".join(map(frame, sent)))
        answers = [client.answer() for _ in sent]
    assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"O%d" % n for n in range(5)]
    site.wait(lambda: beside(site) == before + 2)
    site.wait(lambda: set(recipient.values()) >= {v.encode() for v in values})
    assert [v for v in recipient.values() if v.decode() in values] == [v.encode() for v in values]
    assert site.cli("ledger", "verify")["ok"]


def test_a_heavy_message_sent_again_is_a_duplicate_wherever_it_is_handled(site, recipient):
    with Client(site.port(), timeout_s=60) as client:
        assert [client.send(heavy("HD", value="36.5")) for _ in range(2)] == ["AA"] * 2
    site.wait(lambda: b"36.5" in recipient.values())
    time.sleep(0.3)
    assert recipient.values().count(b"36.5") == 1


def test_a_large_batch_is_answered_whole(site):
    count = 400
    batch = b"BHS|^~\\&|MON1\r" + b"".join(oru(f"G{n}") for n in range(count)) + b"BTS|%d\r" % count
    with Client(site.port(), timeout_s=60) as client:
        client.write(frame(batch))
        answers = [client.answer() for _ in range(count)]
    assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"G%d" % n for n in range(count)]


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 200_000,
        b"\n" * 200_000,
        oru("W1") + b"NTE|1\r" * 20_000,
        oru("W2") + b"OBX" + b"|1" * 50_000 + b"\r",
        oru("W3", more="PID|||1\r" * 300),
        oru("W4", more="OBX|2|TX|1||" + "a&" * 60_000 + "\r"),
        oru("W5", more="OBX|2|TX|1||" + "1~" * 60_000 + "\r"),
        oru("W6").replace(b"|P|2.6", b"|P|2.6" + b"|" * 5_000, 1),
    ],
    ids=["junk", "line ends", "segments", "fields", "patients", "subcomponents", "repetitions", "header"],
)
def test_what_is_too_much_is_refused_with_its_reason_and_others_are_served(site, body):
    held = len(site.rows("SELECT message FROM quarantine"))
    with Client(site.port(), timeout_s=60) as hostile, Client(site.port(), timeout_s=60) as honest:
        hostile.write(frame(body))
        assert honest.send(oru(f"W-{len(body)}")) == "AA"
        assert code_of(hostile.answer()) == "AR"
    assert len(site.rows("SELECT message FROM quarantine")) == held + 1


def test_a_heavy_message_that_hangs_holds_up_nobody_and_is_held_at_the_third_try(tmp_path, recipient):
    site = made(tmp_path / "s", recipient, mllp="beside_time_s_max = 3.0")
    site.start(OATHWARD_KILL_AT="beside.frame", OATHWARD_HANG="1")
    try:
        for attempt in range(2):
            with Client(site.port(), timeout_s=60) as hostile:
                hostile.write(frame(heavy("X1")))
                with Client(site.port(), timeout_s=60) as honest:
                    for n in range(10):
                        assert honest.send(oru(f"X{attempt}-{n}")) == "AA"
                assert hostile.answer() is None, "closed without an answer: the sender keeps it"
            site.wait(lambda n=attempt: refusals(site, "message.limit-exceeded") == n + 1)
        with Client(site.port(), timeout_s=60) as hostile:
            assert hostile.send(heavy("X1")) == "AR"
        assert site.rows("SELECT reason FROM quarantine") == [("message.limit-exceeded",)]
        assert site.status("gateway")["counts"]["beside.failed"] == 2
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()


def test_a_process_beside_that_dies_takes_no_other_message_with_it(tmp_path, recipient):
    site = made(tmp_path / "s", recipient)
    site.start(OATHWARD_KILL_AT="beside.frame", OATHWARD_KILL_MARK=str(tmp_path / "died"))
    try:
        with Client(site.port(), timeout_s=60) as client:
            assert client.send(oru("K1", value="37.5")) == "AA"
            assert client.send(heavy("K2", value="38.5")) == "closed"
        assert (tmp_path / "died").exists()
        with Client(site.port(), timeout_s=60) as client:
            assert client.send(heavy("K2", value="38.5")) == "AA", "the next process handles it"
        site.wait(lambda: {b"37.5", b"38.5"} <= set(recipient.values()))
    finally:
        site.stop()


@pytest.mark.long  # of both doors the reverse; test_fhir_door_hostile.py has it each time
def test_without_the_process_beside_the_event_loop_does_it_itself(tmp_path, recipient):
    """The reverse: the same message, the same trap in the other process; nobody goes there."""
    site = made(tmp_path / "s", recipient, mllp="beside_bytes_min = 100000000")
    site.start(OATHWARD_KILL_AT="beside.frame", OATHWARD_HANG="1")
    try:
        with Client(site.port(), timeout_s=60) as client:
            assert client.send(heavy("X2")) == "AA"
        assert beside(site) == 0
    finally:
        site.stop()


@pytest.mark.long  # its frame hangs, as above, and its gateway is killed, as in tests/faults
def test_an_orphan_with_a_frame_that_never_ends_goes_too(tmp_path, recipient):
    site = made(tmp_path / "s", recipient, mllp="beside_time_s_max = 2.0")
    site.start(OATHWARD_KILL_AT="beside.frame", OATHWARD_HANG="1", OATHWARD_KILL_MARK=str(tmp_path / "hangs"))
    try:
        gateway = site.status("gateway")["pid"]
        with Client(site.port(), timeout_s=60) as client:
            client.write(frame(heavy("Y1")))
            site.wait((tmp_path / "hangs").exists)
            [orphan] = Path(f"/proc/{gateway}/task/{gateway}/children").read_text().split()
            site.kill("gateway")
        site.wait(lambda: not Path(f"/proc/{orphan}/cmdline").exists(), 30)
        site.wait(lambda: site.status("gateway")["pid"] != gateway)
        site.wait(lambda: heavy_taken(site, "Y1"), 60)
    finally:
        site.stop()


def heavy_taken(site, control_id):
    try:
        with Client(site.port(), timeout_s=60) as client:
            return client.send(heavy(control_id)) == "AA"
    except OSError:
        return False


@pytest.mark.long  # one count of both doors: test_fhir_door_hostile.py fills it each time
def test_unfinished_messages_have_so_much_memory_and_small_senders_always_some(tmp_path, recipient):
    limits = "waiting_bytes_max = 2000000\nconnections_max = 200"  # each connection's own: 10 kB
    site = made(tmp_path / "s", recipient, mllp=limits)
    site.start()
    try:
        with ExitStack() as stack:
            for _ in range(60):
                greedy = stack.enter_context(Elsewhere(site.port()))
                with suppress(ConnectionError):
                    greedy.write(b"\x0bMSH|^~\\&|" + b"a" * 90_000)
            site.wait(lambda: refusals(site, "connection.memory-limit") >= 60 - 23)
            with Client(site.port(), timeout_s=60) as small:
                assert [small.send(oru(f"Z{n}")) for n in range(5)] == ["AA"] * 5
        site.wait(lambda: heavy_taken(site, "Z9"))
        assert refusals(site, "connection.memory-limit") <= 60 - 20
    finally:
        site.stop()


def test_strangers_have_so_many_bytes_an_hour_and_known_devices_go_on(tmp_path, recipient):
    size = len(oru("S00"))
    site = made(tmp_path / "s", recipient, mllp=f"stranger_bytes_per_hour_max = {10 * size + size // 2}")
    site.start()
    try:
        answered = []
        for n in range(15):
            with Elsewhere(site.port()) as stranger:
                answered.append(stranger.send(oru(f"S{n:02}")))
        assert answered == ["AA"] * 10 + ["closed"] * 5
        with Elsewhere(site.port()) as stranger:
            assert stranger.send(heavy("S99")) == "closed", "the process beside has no room of its own"
        stored = site.rows("SELECT count(*), sum(size_bytes) FROM message WHERE device = ''")
        assert stored == [(10, 10 * size)]
        assert site.rows("SELECT count(*) FROM kept_body WHERE purpose = 'quarantine'") == [(10,)]
        site.wait(lambda: refusals(site, "connection.rate-limit") == 6)
        with Client(site.port(), timeout_s=60) as known:
            assert known.send(oru("S50", value="39.5")) == "AA"
            assert known.send(heavy("S51", value="40.5")) == "AA"
        site.wait(lambda: {b"39.5", b"40.5"} <= set(recipient.values()))
    finally:
        site.stop()


def test_with_more_room_the_same_strangers_are_kept(site):
    """The reverse."""
    before = len(site.rows("SELECT message FROM quarantine"))
    for n in range(15):
        with Elsewhere(site.port()) as stranger:
            assert stranger.send(oru(f"S{n:02}")) == "AA"
    with Elsewhere(site.port()) as stranger:
        assert stranger.send(heavy("S99")) == "AA"
    assert len(site.rows("SELECT message FROM quarantine")) == before + 16


def test_a_group_may_wait_for_company_and_one_alone_does_not(tmp_path, recipient):
    site = made(tmp_path / "s", recipient, more="[gateway]\ngroup_delay_ms = 2000.0")
    site.start()
    try:
        with Client(site.port(), timeout_s=60) as client:
            began = time.monotonic()
            assert [client.send(oru(f"GA{n}")) for n in range(10)] == ["AA"] * 10
            assert time.monotonic() - began < 10, "ten waits would be twenty seconds"
            client.write(b"".join(frame(oru(f"GB{n}")) for n in range(60)))
            answers = [client.answer() for _ in range(60)]
        assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"GB%d" % n for n in range(60)]
    finally:
        site.stop()
