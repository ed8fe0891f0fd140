"""Real messages through the running gateway: each gets its answer, nothing crashes or hangs, nothing is lost."""

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, code_of, frame

from oathward.core.errors import DecodeError
from oathward.protocols.hl7v2.ack import mode
from oathward.protocols.hl7v2.batch import split_batch
from oathward.protocols.hl7v2.reader import decode

HL7 = CORPUS / "hl7v2"


def bodies():
    """Every message of the corpus as a sender would put it on the wire."""
    good = sorted([*HL7.rglob("*.hl7"), *HL7.rglob("*.txt")])
    malformed = sorted(path for path in (HL7 / "nhapi-malformed").rglob("*") if path.is_file())
    return [
        *((path.name, unframed(path.read_bytes())) for path in good),
        *((f"{path.parent.name}/{path.name}", path.read_bytes()) for path in malformed),
    ]


def unframed(data):
    """A message of a file without its frame, and with the segment terminators of the standard."""
    return data.strip(b"\x0b\x1c\r\n").replace(b"\r\n", b"\r").replace(b"\n", b"\r") + b"\r"


def decodes(body):
    try:
        return [decode(piece) for piece in split_batch(body)]
    except DecodeError:
        return None


def pieces(body):
    try:
        return split_batch(body)
    except DecodeError:
        return [body]


def wanted(messages):
    """How many answers the sender asked for by MSH-15 and MSH-16."""
    if messages is None:
        return 1
    modes = [mode(message) for message in messages]
    return sum(m.wants_accept(good=True) + m.wants_application(good=True) for m in modes)


@needs_corpus
@pytest.mark.timeout(300)
def test_the_whole_corpus_goes_through_the_gateway(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local("feed", kind="adt", authoritative_adt=True))
    site.start()
    try:
        pid = site.status("gateway")["pid"]
        sent = refused = 0
        for name, body in bodies():
            messages = decodes(body)
            with Client(site.port(), timeout_s=20) as client:
                client.write(frame(body))
                answers = [client.answer() for _ in range(wanted(messages))]
            assert None not in answers, f"{name}: closed without an answer"
            codes = {code_of(answer) for answer in answers}
            if messages is None:
                refused += 1
                assert codes == {"AR"}, name
            else:
                assert codes <= {"AA", "CA"}, name
                assert not name.startswith(("Encoding", "HL7Ex")), f"{name} should be refused"
            sent += len(messages or [None])
        assert sent > 100
        assert refused >= 5
        assert site.status("gateway")["pid"] == pid
        stored = site.rows("SELECT state, count(*) FROM message GROUP BY state")
        held = site.rows("SELECT reason, count(*) FROM quarantine GROUP BY reason")
        print("stored", stored, "held", held)
        different = {piece for _, body in bodies() for piece in pieces(body)}
        rows = sum(count for _, count in stored)
        assert rows >= len(different), "duplicates apart, every message has its row"
        assert dict(held).get("internal", 0) == 0, "nothing met a bug of ours"
        assert site.cli("ledger", "verify")["ok"]
        site.wait(lambda: site.rows("SELECT count(*) FROM outbox WHERE state = 'pending'") == [(0,)], 60)
        assert len(recipient.kept) > 50
    finally:
        site.stop()
        recipient.close()
