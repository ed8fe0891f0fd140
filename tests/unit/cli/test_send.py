"""``oathward send``: what a file may hold, what is told of the answers, and what is never told."""

import asyncio
import io
import json
import threading
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oathward.cli.main import run
from oathward.cli.send import messages_of
from oathward.core.errors import DecodeError
from oathward_sim.hl7 import answer, frame, header_field
from oathward_sim.pki import Authority, server_context
from oathward_sim.recipients import Recipient

HEAD = b"MSH|^~\\&|A|B|C|D|20260504||ADT^A08|%b|P|2.6\rEVN|A08|20260504\rPID|||97123456^^^HOSP^MR||Brockhausen^Zo\xc3\xab\r"
ONE, TWO, THREE = (HEAD % i for i in (b"M1", b"M2", b"M3"))


class Scripted(Recipient):
    """A recipient that answers from a list: for each message, its answers."""

    answers = ()

    async def _take(self, item, reply, writer, *, yes):
        told = self.answers.pop(0) if self.answers else [("AA", NOW)]
        replies = (one if isinstance(one, bytes) else frame(answer(item.data, *one)) for one in told)
        return await super()._take(item, b"".join(replies), writer, yes=yes)


class Server:
    """A recipient in a thread of its own."""

    def __init__(self, tls=None, answers=()):
        self.recipient = Scripted("peer", tls=tls)
        self.recipient.answers = list(answers)

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.recipient.start(), self.loop).result(5)
        self.to = f"127.0.0.1:{self.recipient.port}"
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.recipient.stop(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    @property
    def got(self):
        return [k.data for k in self.recipient.kept]


def write(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return str(path)


NOW = datetime(2026, 5, 4, tzinfo=UTC)
CONTENTS = {
    "one message": (ONE, [ONE]),
    "line feeds": (ONE.replace(b"\r", b"\n"), [ONE]),
    "carriage return and line feed": (ONE.replace(b"\r", b"\r\n"), [ONE]),
    "no line end at the end": (ONE.rstrip(b"\r"), [ONE]),
    "several, blank lines between": (b"\n\n".join(m.replace(b"\r", b"\n") for m in (ONE, TWO)), [ONE, TWO]),
    "a batch": (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + TWO + b"BTS|2\rFTS|1\r", [ONE, TWO]),
    "frames": (frame(ONE) + frame(TWO), [ONE, TWO]),
    "frames that hold a batch": (frame(b"BHS|^~\\&\r" + ONE + b"BTS|1\r") + frame(TWO), [ONE, TWO]),
    "nothing": (b"\n\n", []),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_is_cut_into_its_messages(content):
    raw, messages = CONTENTS[content]
    assert messages_of(raw) == messages


def test_as_is_changes_no_byte():
    raw = ONE.replace(b"\r", b"\n")
    assert messages_of(raw, as_is=True) == [raw]


@pytest.mark.parametrize("raw", [frame(ONE)[:-1], b"BHS|^~\\&\r" + ONE])
def test_a_file_cut_short_is_refused_whole(raw):
    with pytest.raises(DecodeError):
        messages_of(raw)


def test_all_accepted_is_0_and_the_bytes_arrive(tmp_path, capsys):
    with Server() as server:
        files = [write(tmp_path, "a.hl7", ONE + TWO), write(tmp_path, "b.hl7", THREE)]
        assert run(["send", *files, "--to", server.to, "--json"]) == 0
        assert server.got == [ONE, TWO, THREE]
    said = json.loads(capsys.readouterr().out)
    assert (said["sent"], said["accepted"], said["refused"], said["unanswered"]) == (3, 3, 0, 0)
    assert said["files"][0]["answers"] == {"AA": 2}


def test_standard_input(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ONE)))
    with Server() as server:
        assert run(["send", "-", "--to", server.to]) == 0
        assert server.got == [ONE]
    assert capsys.readouterr().out.split() == ["-", "AA"]


def test_a_refusal_is_65_and_names_the_place_and_nothing_of_the_message(tmp_path, capsys):
    refused = ("AE", NOW, "message.value-invalid")
    with Server(answers=[[("AA", NOW)], [refused], [("AE", NOW, "because of Brockhausen")]]) as server:
        code = run(["send", write(tmp_path, "a.hl7", ONE + TWO + THREE), "--to", server.to])
    out = capsys.readouterr()
    assert code == 65
    assert "message 2: AE message.value-invalid" in out.out
    assert "message 3: AE\n" in out.out
    assert "Brockhausen" not in out.out + out.err
    assert "97123456" not in out.out + out.err


def test_no_answer_is_75_and_the_next_message_goes_on_a_new_connection(tmp_path, capsys):
    with Server() as server:
        server.recipient.faults.close_mid_ack = 1
        assert run(["send", write(tmp_path, "a.hl7", ONE + TWO), "--to", server.to, "--json"]) == 75
        assert server.got == [ONE, TWO]
        assert server.recipient.connections == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["accepted"], said["unanswered"]) == (1, 1)
    assert said["files"][0]["problems"] == {
        "1": "no answer: the connection was closed without an answer; a port for TLS does that to plain senders: "
        "--tls, --ca, --cert, --key"
    }


def test_silence_is_75(tmp_path):
    with Server() as server:
        server.recipient.faults.stall = True
        assert run(["send", write(tmp_path, "a.hl7", ONE), "--to", server.to, "--timeout", "0.2"]) == 75


def test_no_answer_wanted_is_none_missed(tmp_path, capsys):
    quiet = ONE.replace(b"|P|2.6", b"|P|2.6|||NE|NE")
    with Server() as server:
        server.recipient.faults.stall = True
        assert run(["send", write(tmp_path, "a.hl7", quiet), "--to", server.to]) == 0
    assert "none asked" in capsys.readouterr().out


def test_a_second_answer_to_the_message_before_is_passed_over(tmp_path, capsys):
    late = frame(answer(ONE, "AE", NOW))
    with Server(answers=[[("CA", NOW), late], [("AA", NOW)]]) as server:
        assert run(["send", write(tmp_path, "a.hl7", ONE + TWO), "--to", server.to, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["answers"] == {"CA": 1, "AA": 1}


def test_nobody_listens_is_75_and_bad_use_is_told(tmp_path, capsys):
    path = write(tmp_path, "a.hl7", ONE)
    with Server() as server:
        to = server.to
    assert run(["send", path, "--to", to]) == 75
    assert run(["send", path, "--to", "nowhere"]) == 65
    assert run(["send", str(tmp_path / "absent"), "--to", to]) == 66
    assert run(["send", path, "--to", to, "--ca", path]) == 65
    assert run(["send", "--to", to]) == 2
    assert "cannot connect: connection refused, nothing listens there" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["host:99999", "host:0", "host:", ":1", "host:1234567", "host:²"])
def test_an_address_that_cannot_be(tmp_path, capsys, to):
    assert run(["send", write(tmp_path, "a.hl7", ONE), "--to", to]) == 65
    assert capsys.readouterr().err.startswith("error[input.invalid] --to: ")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_without_a_message_is_65_and_nothing_is_sent(tmp_path, capsys, content):
    empty = write(tmp_path, "empty.hl7", content)
    with Server() as server:
        assert run(["send", write(tmp_path, "a.hl7", ONE), empty, "--to", server.to]) == 65
        assert server.got == []
    assert f"{empty}: there is no message in it" in capsys.readouterr().err


def test_which_file_of_tls_is_wrong(tmp_path, capsys):
    ca = Authority(tmp_path, "ca")
    one, two = ca.issue("one"), ca.issue("two")
    rsa = tmp_path / "rsa.key"
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    rsa.write_bytes(generate_private_key(65537, 2048).private_bytes(*pem))
    path = write(tmp_path, "a.hl7", ONE)
    for options, said in (
        (["--ca", path], f"--ca: {path} holds no certificate"),
        (["--ca", "/none"], "--ca: /none cannot be read: no such file or directory"),
        (["--cert", path, "--key", str(one.key)], f"--cert: {path} holds no certificate"),
        (["--cert", str(one.cert)], f"--key: give the private key of {one.cert}"),
        (["--cert", str(one.cert), "--key", path], f"--key: {path} holds no private key"),
        (["--cert", str(one.cert), "--key", str(two.key)], f"--key: {two.key} is not the key of"),
        (["--cert", str(one.cert), "--key", str(rsa)], f"--key: {rsa} is not the key of"),
        (["--key", str(one.key)], "--key: goes with --cert"),
    ):
        assert run(["send", path, "--to", "127.0.0.1:1", *options]) in {65, 66}
        assert said in capsys.readouterr().err


def test_trouble_with_tls_is_told_in_words(tmp_path, capsys):
    server_ca, device_ca = Authority(tmp_path, "server"), Authority(tmp_path, "devices")
    path = write(tmp_path, "a.hl7", ONE)
    with Server() as server:
        assert run(["send", path, "--to", server.to, "--tls", "--timeout", "0.3"]) == 75
        assert "no answer in time; perhaps TLS is not spoken there" in capsys.readouterr().err
    with Server(tls=server_context(server_ca.issue("gateway"), device_ca.file)) as server:
        assert run(["send", path, "--to", server.to, "--ca", str(device_ca.file)]) == 75
        assert "its certificate does not hold" in capsys.readouterr().err
        assert run(["send", path, "--to", server.to, "--ca", str(server_ca.file)]) == 75
        said = capsys.readouterr()
        assert "message 1: no answer: the " in said.out
        assert (
            "server wants a certificate" in said.out
        )  # its alert, or the hint where the system lost the alert
        assert run(["send", path, "--to", server.to]) == 75
        assert "message 1: no answer: " in capsys.readouterr().out
        for name in ("Error", "Exception", "SSL:"):
            assert name not in said.out + said.err


def test_mutual_tls(tmp_path):
    server_ca, device_ca = Authority(tmp_path, "server"), Authority(tmp_path, "devices")
    issued, device = server_ca.issue("gateway"), device_ca.issue("PUMP-01")
    path = write(tmp_path, "a.hl7", ONE)
    with Server(tls=server_context(issued, device_ca.file)) as server:
        files = ["--ca", str(server_ca.file), "--cert", str(device.cert), "--key", str(device.key)]
        assert run(["send", path, "--to", server.to, *files]) == 0
        assert run(["send", path, "--to", server.to, "--ca", str(server_ca.file)]) == 75
        assert server.got == [ONE]


def test_a_rate_is_kept(tmp_path):
    import time

    with Server() as server:
        begun = time.monotonic()
        assert (
            run(["send", write(tmp_path, "a.hl7", ONE + TWO + THREE), "--to", server.to, "--rate", "20"]) == 0
        )
        assert time.monotonic() - begun >= 0.1
    assert header_field(server.got[0], 10) == b"M1"
