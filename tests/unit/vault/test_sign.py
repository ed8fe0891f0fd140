"""Promises of Ed25519 keys and their files."""

import pytest

from oathward.core.errors import AuthorityError, VaultError
from oathward.core.reasons import Reason
from oathward.ledger import note
from oathward.vault import sign


def test_a_signature_of_another_key_name_or_text_is_refused():
    key, other = sign.Signer.create("a/b"), sign.Signer.create("a/b")
    signature = key.sign(b"text")
    assert key.verify(signature, b"text") is None
    sign.Verifier("a/b", key.public).verify(signature, b"text")
    for bad, text, by in (
        (signature, b"text.", key),
        (signature, b"text", other),
        (signature[:-1], b"text", key),
        (bytes(64), b"text", key),
        (b"", b"text", key),
    ):
        with pytest.raises(AuthorityError) as refused:
            by.verify(bad, text)
        assert refused.value.reason is Reason.SIGNATURE_INVALID


def test_key_files_come_back_and_private_ones_are_for_their_owner_alone(tmp_path):
    key = sign.Signer.create("oathward/demo/authority")
    sign.save_signer(key, tmp_path / "k")
    sign.save_verifier(key, tmp_path / "k.pub")
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    back = sign.load_signer(tmp_path / "k")
    assert (back.name, back.seed, back.public) == (key.name, key.seed, key.public)
    public = sign.load_verifier(tmp_path / "k.pub")
    assert (public.name, public.public) == (key.name, key.public)
    assert key.seed not in (tmp_path / "k.pub").read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_private_key_file_others_may_touch_is_refused(tmp_path, mode):
    path = tmp_path / "k"
    sign.save_signer(sign.Signer.create("k"), path)
    path.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        sign.load_signer(path)


def test_a_private_key_behind_a_link_is_refused(tmp_path):
    sign.save_signer(sign.Signer.create("k"), tmp_path / "k")
    (tmp_path / "link").symlink_to(tmp_path / "k")
    with pytest.raises(VaultError):
        sign.load_signer(tmp_path / "link")


def test_public_key_text_is_what_signed_notes_use():
    key = sign.Signer.create("oathward/demo")
    assert sign.encode_verifier(key) == note.encode_key(key)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: "",
        lambda t: "x" + t,
        lambda t: t.replace("+", "-"),
        lambda t: t[:-2],
        lambda t: t.split("+")[0] + "+00000000+" + t.split("+")[2],
        lambda t: t + "A",
    ],
)
def test_a_changed_public_key_text_is_refused(change):
    text = sign.encode_verifier(sign.Signer.create("name"))
    with pytest.raises(AuthorityError):
        sign.decode_verifier(change(text))


def test_a_changed_private_key_file_is_refused(tmp_path):
    path = tmp_path / "k"
    sign.save_signer(sign.Signer.create("name"), path)
    text = path.read_text()
    for bad in ("", text.replace("PRIVATE", "public"), text[:40], text.replace("name", "eman")):
        path.write_text(bad)
        with pytest.raises(VaultError):
            sign.load_signer(path)


def test_no_private_byte_in_a_repr_or_error(tmp_path):
    key = sign.Signer.create("name")
    assert key.seed.hex() not in repr(key)
    path = tmp_path / "k"
    sign.save_signer(key, path)
    path.chmod(0o644)
    with pytest.raises(VaultError) as refused:
        sign.load_signer(path)
    assert str(tmp_path) not in str(refused.value)
