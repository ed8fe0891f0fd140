"""Signed notes: the form strangers read, and what is refused."""

import pytest
from tests.unit.ledger.sample import LOG, WITNESS

from oathward.core.errors import AuthorityError
from oathward.ledger import checkpoint, merkle, note
from oathward.vault.sign import Signer, Verifier

TEXT = "oathward/ward\n3\n" + "A" * 43 + "=\n"

# The verifier key and note given as the example in the C2SP signed-note specification.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1E"
    "RYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def test_the_example_of_the_specification():
    name, kind, public = note.decode_key(SPEC_KEY)
    assert (name, kind) == ("example.com/foo", note.ED25519)
    assert note.encode_key(Verifier(name, public)) == SPEC_KEY
    assert note.check(SPEC_NOTE, [Verifier(name, public)]) == "This is an example message.\n"


def test_sign_and_check():
    signed = note.sign(TEXT, LOG)
    assert note.check(signed, [LOG]) == TEXT
    assert note.check(signed, [WITNESS, LOG]) == TEXT
    with pytest.raises(AuthorityError, match="known key"):
        note.check(signed, [WITNESS])


def test_a_wrong_signature_of_a_known_key_spoils_the_note():
    """Even beside a right one of another known key."""
    signed = note.sign(TEXT, LOG)
    bad = note.Signature(WITNESS.name, note.key_id(WITNESS.name, WITNESS.public), b"\0" * 64).line
    assert note.check(signed + bad, [LOG]) == TEXT  # unknown: ignored
    with pytest.raises(AuthorityError):
        note.check(signed + bad, [LOG, WITNESS])


def test_the_same_name_with_another_key_is_another_signer():
    thief = Signer(LOG.name, b"\x07" * 32)
    with pytest.raises(AuthorityError, match="known key"):
        note.check(note.sign(TEXT, thief), [LOG])


def test_cosignature():
    line = note.cosign(TEXT, WITNESS, 1_700_000_000)
    signatures = note.parse_lines(line)
    assert note.check_cosignature(TEXT, signatures, WITNESS) == 1_700_000_000
    with pytest.raises(AuthorityError):
        note.check_cosignature(TEXT.replace("3", "4", 1), signatures, WITNESS)
    with pytest.raises(AuthorityError):
        note.check_cosignature(TEXT, signatures, LOG)
    later = signatures[0].raw[:7] + b"\xff" + signatures[0].raw[8:]
    with pytest.raises(AuthorityError):  # the time is signed, too
        note.check_cosignature(TEXT, [note.Signature(WITNESS.name, signatures[0].key_id, later)], WITNESS)


def test_a_plain_signature_is_no_cosignature():
    plain = note.split(note.sign(TEXT, WITNESS))[1]
    with pytest.raises(AuthorityError, match="not there"):
        note.check_cosignature(TEXT, plain, WITNESS)


GOOD = note.sign(TEXT, LOG)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "\n",
        TEXT,
        GOOD[:-1],
        GOOD + "x",
        GOOD.replace("— ", "- "),
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("oathward/ward\n", "oathward/ward\r\n", 1),
        GOOD.replace("oathward/ward", "oathward\0ward", 1),
        TEXT + "\n",
        TEXT + "\n— a+b AAAAAAAA\n",
        TEXT + "\n— name AAAA\n",
        TEXT + "\n— name not-base64!\n",
        TEXT + "\n— name AAAAAAAAAAB=\n",
        TEXT + "\n—  AAAAAAAA\n",
        TEXT + "\n" + "— n AAAAAAAA\n" * 65,
        "x" * 70_000 + GOOD,
    ],
)
def test_what_is_not_a_note_is_refused(bad):
    with pytest.raises(AuthorityError):
        note.check(bad, [LOG])


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a",
        "a+b+c",
        SPEC_KEY[:-4],
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY.replace("example", "exampl3"),
        "x+00000000+Ag==",
    ],
)
def test_what_is_not_a_key_is_refused(bad):
    with pytest.raises(AuthorityError):
        note.decode_key(bad)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x85b"])
def test_names_that_cannot_stand_in_a_note(name):
    with pytest.raises(AuthorityError):
        note.check_name(name, "name")


ROOT = "A" * 43 + "="


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "o\n3\n",
        f"o\n3\n{ROOT}",
        f"\n3\n{ROOT}\n",
        f"o\n03\n{ROOT}\n",
        f"o\n-3\n{ROOT}\n",
        f"o\n+3\n{ROOT}\n",
        f"o\n3.0\n{ROOT}\n",
        f"o\n٣\n{ROOT}\n",
        f"o\n99999999999999999999\n{ROOT}\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        f"o\n3\n{ROOT[:-4]}\n",
        "o\n3\n" + "A" * 42 + "B=\n",
        f"o\n0\n{ROOT}\n",
        f"o\n3\n{ROOT}\n\nx\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(bad):
    with pytest.raises(AuthorityError):
        checkpoint.parse(bad)


def test_checkpoint_round_trip():
    for found in (
        checkpoint.Checkpoint("o", 3, b"\1" * 32),
        checkpoint.Checkpoint("o", 0, merkle.EMPTY_ROOT),
        checkpoint.Checkpoint("o", 2**63 - 1, b"\1" * 32),
    ):
        assert checkpoint.parse(found.text) == found
    assert checkpoint.parse(f"o\n3\n{ROOT}\nextension\n").size == 3
