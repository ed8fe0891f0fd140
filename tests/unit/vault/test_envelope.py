"""Promises of envelopes: self-describing, bound, to one key; the courier's view and the recipient's."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.unit.vault.sites import Time, asking, safe

from oathward.core.errors import VaultError
from oathward.core.reasons import Reason
from oathward.vault import envelope
from oathward.vault.envelope import Opener, open_envelope
from oathward.vault.seal import PublicKey, Sealer


class Ends:
    """A sealer, its outbox key and a recipient with a key of its own."""

    def __init__(self, **options) -> None:
        self.outbox, self.recipient = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.theirs = self.recipient.public_key().public_bytes_raw()
        public = PublicKey("outbox-1", self.outbox.public_key().public_bytes_raw(), 2**60)
        self.sealer = Sealer("demo", public, public, **options)
        self.courier = Opener({"outbox-1": self.outbox.private_bytes_raw()})


def refused(act) -> Reason:
    with pytest.raises(VaultError) as caught:
        act()
    return caught.value.reason


def test_end_to_end_only_the_recipient_opens():
    ends, message = Ends(), safe()
    sealed = ends.sealer.seal_outgoing(message, "research", "message-one", "out-1", ends.theirs)
    assert sealed.end_to_end
    assert (sealed.link, sealed.message_id, sealed.outgoing_id) == ("research", "message-one", "out-1")
    assert sealed.key_id == envelope.fingerprint(ends.theirs).hex()
    opened = open_envelope(ends.recipient.private_bytes_raw(), sealed.data)
    assert (opened.site, opened.link, opened.outgoing_id) == ("demo", "research", "out-1")
    assert opened.data.reveal() == message.data
    assert "Roe" not in repr(opened)
    assert refused(lambda: ends.courier.open(sealed.data)) is Reason.KEY_UNAVAILABLE
    assert message.data not in sealed.data
    assert b"Roe" not in sealed.data
    assert b"message-one" not in sealed.data  # our own message id is nobody else's business


def test_without_a_key_of_its_own_the_courier_opens():
    ends, message = Ends(), safe()
    sealed = ends.sealer.seal_outgoing(message, "ehr", "m1", "out-1", None)
    assert not sealed.end_to_end
    assert sealed.key_id == "outbox-1"
    assert ends.courier.open(sealed.data).data.reveal() == message.data
    assert (
        refused(lambda: open_envelope(ends.recipient.private_bytes_raw(), sealed.data))
        is Reason.KEY_UNAVAILABLE
    )


def test_one_wrapped_key_serves_many_envelopes_of_a_link_and_epoch():
    time = Time()
    ends = Ends(epoch_s=60, monotonic=lambda: time.wall_s)
    seal = lambda n, link="a": ends.sealer.seal_outgoing(safe(), link, "m", f"out-{n}", None).data  # noqa: E731  short

    def wrapped(data: bytes) -> bytes:
        _, key_at, nonce_at, _ = envelope._places(data)
        return data[key_at:nonce_at]

    first, second = seal(1), seal(2)
    assert wrapped(first) == wrapped(second)
    assert first[-100:] != second[-100:]
    assert wrapped(seal(3, "b")) != wrapped(first)
    assert [ends.courier.open(data).outgoing_id for data in (first, second)] == ["out-1", "out-2"]
    assert len(ends.courier._unwrapped) == 1
    time.pass_(seconds=60)
    assert wrapped(seal(4)) != wrapped(first)
    ends = Ends(key_uses_max=2)
    assert len({wrapped(seal(n)) for n in range(5)}) == 3


def test_only_shaped_messages_are_sealed_for_a_recipient():
    ends = Ends()

    class Fake:
        data = b"MSH|"

    for unshaped in (Fake(), b"MSH|", None, type("SafeMessage", (), {"data": b"MSH|"})()):
        with pytest.raises(TypeError):
            ends.sealer.seal_outgoing(unshaped, "ehr", "m", "o", None)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32)])
def test_a_recipients_key_that_is_none_is_refused(key):
    assert (
        refused(lambda: Ends().sealer.seal_outgoing(safe(), "ehr", "m", "o", key)) is Reason.KEY_UNAVAILABLE
    )


def test_an_expired_outbox_key_is_not_sealed_to():
    time = Time()
    public = PublicKey("o", X25519PrivateKey.generate().public_key().public_bytes_raw(), time.now_us)
    sealer = Sealer("demo", public, public, clock=time.clock)
    assert refused(lambda: sealer.seal_outgoing(safe(), "ehr", "m", "o", None)) is Reason.KEY_UNAVAILABLE


def test_parts_of_two_envelopes_do_not_mix():
    ends = Ends()
    a = ends.sealer.seal_outgoing(safe("one"), "a", "m", "out-1", None).data
    b = ends.sealer.seal_outgoing(safe("two"), "b", "m", "out-1", None).data
    _, key_at, nonce_at, end = envelope._places(a)
    assert envelope._places(b) == envelope._places(a)
    ends.courier.open(a)
    ends.courier.open(b)
    for mixed in (
        b[:key_at] + a[key_at:],
        a[:key_at] + b[key_at:],
        a[:nonce_at] + b[nonce_at:],
        a[:end] + b[end:],
        a[:key_at] + b[key_at:nonce_at] + a[nonce_at:],
        a.replace(b"out-1", b"out-2"),
    ):
        assert refused(lambda m=mixed: ends.courier.open(m)) is Reason.SEAL_BROKEN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OWE1",
        b"OWE1\x01",
        b"OWE1\x02" + bytes(200),
        b"OWE2\x01" + bytes(200),
        b"OWE1\x01" + b"\xff" * 6,
        b"OWE1\x01" + b"\xff\xff" + bytes(300),
        b"OWE1\x01" + bytes(6) + bytes(115),
        b"MSH|^~\\&|",
    ],
)
def test_what_is_no_envelope_is_refused(data):
    reason = refused(lambda: Ends().courier.open(data))
    assert reason is Reason.SEAL_BROKEN


def test_the_keepers_outbox_keys_open_what_the_gateway_sealed(site):
    with asking(site, "gateway") as gate, asking(site, "courier") as courier:
        keys = gate.hello()
        sealer = Sealer("demo", keys.intake, keys.outbox)
        sealed = sealer.seal_outgoing(safe(), "ehr", "m", "out-1", None)
        opener = Opener(courier.outbox_keys())
        assert opener.open(sealed.data).data.reveal() == safe().data
        assert sealed.key_id in courier.outbox_keys()
        opener.renew({})
        assert refused(lambda: opener.open(sealed.data)) is Reason.KEY_UNAVAILABLE
