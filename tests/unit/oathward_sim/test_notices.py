"""Simulated recipients and notices: taken and kept as evidence, refused, or never answered, by MLLP and by FHIR."""

import asyncio
import contextlib

import pytest

from oathward.consent.notices import write
from oathward.consent.notices.state import State
from oathward_sim.hl7 import END, frame
from oathward_sim.recipients import FhirRecipient, Folder, Recipient

AT_US = 1_800_000_000_000_000
DATA = b"MSH|^~\\&|M|W|||2026||ORU^R01^ORU_R01|D1|P|2.6\rOBX|1|NM|1||72\r"
NOTICE = write.hl7v2(State("none"), b"", "N1", AT_US)
CONSENT = write.fhir(State("none"), b"", "c1", "TREAT", AT_US).partition(b"\n\n")[2]


async def exchange(recipient, request, end):
    """Send one request and give the answer; empty where none comes."""
    await recipient.start()
    try:
        reader, writer = await asyncio.open_connection(recipient.host, recipient.port)
        writer.write(request)
        answer = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                answer = await reader.readuntil(end)
        writer.close()
        return answer
    finally:
        await recipient.stop()


@pytest.mark.parametrize(
    ("fault", "code", "kept"), [("", b"|AA|", 1), ("refuse", b"|AE|", 0), ("ignore", b"", 1)]
)
def test_by_mllp(fault, code, kept):
    recipient = Recipient("ehr")
    recipient.faults.notices = fault
    answer = asyncio.run(exchange(recipient, frame(NOTICE), END))
    assert code in answer
    assert bool(answer) == bool(code)
    assert len(recipient.notices) == kept
    if not fault:
        assert recipient.notices[0].id == "N1"
    answer = asyncio.run(exchange(recipient, frame(DATA), END))
    assert b"|AA|" in answer, "data is taken whatever becomes of notices"
    assert len(recipient.notices) == kept


@pytest.mark.parametrize(("fault", "status"), [("", b" 201 "), ("refuse", b" 422 "), ("ignore", b"")])
def test_by_fhir(fault, status):
    recipient = FhirRecipient("server")
    recipient.faults.notices = fault
    head = f"PUT /fhir/Consent/c1 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONSENT)}\r\n\r\n".encode()
    answer = asyncio.run(exchange(recipient, head + CONSENT, b"\r\n"))
    assert status in answer
    assert bool(answer) == bool(status)
    assert ("Consent/c1" in recipient.resources) == (fault != "refuse")


def test_in_a_folder(tmp_path):
    (tmp_path / "N1.hl7").write_bytes(NOTICE)
    (tmp_path / "D1.hl7").write_bytes(DATA)
    (tmp_path / "c1.json").write_bytes(CONSENT)
    assert {one.id for one in Folder("folder", tmp_path).notices} == {"N1", "c1"}
