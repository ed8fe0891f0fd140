"""Check a proof file with nothing but Python: ``python stranger.py FILE KEY [WITNESS-KEY ...]``.

For whoever wants to trust nobody's program: one file, no package, no network. KEY is one line, ``name+id+base64``, or a file
with it. It says that the record printed here stands in the log that KEY signed, so that nobody can take it out or change it
later without being seen. Exit 0: it holds. Exit 1: it does not. Exit 2: it was not asked rightly.

Steps: 1 the log's signature over the checkpoint · 2 the record's own hash · 3 the path from it up to the signed root ·
4 the signatures of witnesses whose keys were given.

Deliberately absent: anything of the rest of Oathward (it must not be needed), and whether KEY is the right one: get it by
another way than the file.

Source: C2SP tlog-proof, tlog-checkpoint, signed-note, tlog-cosignature; RFC 9162 §2.1.3.2 (path); RFC 8032 §5.1.7 (Ed25519).
"""

from __future__ import annotations

import base64
import json
import sys
from hashlib import sha256, sha512
from pathlib import Path

HEADER = "c2sp.org/tlog-proof@v1"
SALT = 16
FILE_BYTES_MAX = 1_000_000


class Wrong(Exception):  # noqa: N818  a word that its reader knows
    """It does not hold."""


def check(proof: str, key: str, witnesses: list[str]) -> list[str]:
    """Check a proof; gives what it proves, as lines.

    Raises:
        Wrong: it does not hold; says where.
        ValueError: it, or a key, is not in the form.
    """
    head, _, note = proof.partition("\n\n")
    header, extra, numbered, *path = head.split("\n")
    if header != HEADER or not extra.startswith("extra ") or not numbered.startswith("index "):
        raise ValueError("this is no proof file")
    text, _, signatures = note.partition("\n\n")
    origin, size, root = (text + "\n").split("\n")[:3]
    entry, index = _bytes(extra[6:]), int(numbered[6:])
    if numbered != f"index {index}":
        raise ValueError("this is no proof file")
    if _signed(text + "\n", signatures, key, 1) is None:
        raise Wrong("the log did not sign this with that key")
    leaf = sha256(b"\x00" + entry).digest()
    if _root(leaf, index, int(size), [_bytes(one) for one in path]) != _bytes(root):
        raise Wrong("the record does not lead to the root that was signed")
    seen = [_signed(text + "\n", signatures, one, 4) for one in witnesses]
    record = json.dumps(json.loads(entry[SALT:]), indent=2, ensure_ascii=True)
    said = [f"It holds: record {index} of {size} stands in the log {origin}."]
    said += [one or "A witness whose key you gave did not sign it." for one in seen]
    return [*said, record]


def _root(node: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Walk from a leaf up to the root."""
    last = size - 1
    if not 0 <= index <= last or any(len(one) != 32 for one in path):
        raise Wrong("the path is of no such tree")
    for sibling in path:
        if not last:
            raise Wrong("the path is too long")
        if index & 1 or index == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise Wrong("the path is too short")
    return node


def _signed(text: str, signatures: str, key: str, kind: int) -> str | None:
    """Say who signed a text (kind 1: the log; 4: a witness, with a time); None where that key did not."""
    name, named, packed = key.strip().split("+", 2)
    raw = _bytes(packed)
    if raw[:1] not in (b"\x01", bytes([kind])) or _id(name, raw) != named:
        raise ValueError("this is no key of this kind")
    public, id_ = raw[1:], _id(name, bytes([kind]) + raw[1:])
    for line in signatures.split("\n"):
        mark, _, rest = line.partition(" ")
        who, _, value = rest.rpartition(" ")
        found = _bytes(value) if mark == "\u2014" and who == name else b""
        if found[:4].hex() != id_:
            continue
        at_s = int.from_bytes(found[4:12], "big")
        message, signature = (
            (text, found[4:]) if kind == 1 else (f"cosignature/v1\ntime {at_s}\n{text}", found[12:])
        )
        if not _ed25519(public, signature, message.encode()):
            raise Wrong(f"the signature of {name} is wrong")
        return (
            f"Signed by {name}."
            if kind == 1
            else f"Signed by the witness {name} at {at_s} seconds since 1970."
        )
    return None


def _id(name: str, key: bytes) -> str:
    return sha256(f"{name}\n".encode() + key).hexdigest()[:8]


def _bytes(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("this is not written as it has to be")
    return raw


# --- Ed25519, as RFC 8032 writes it down: slow and short

_P, _L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % _P, y * z % _P, x * y % _P, w * z % _P


def _times(scalar: int, point: Point) -> Point:
    found = (0, 1, 1, 0)
    while scalar:
        found = _add(found, point) if scalar & 1 else found
        point, scalar = _add(point, point), scalar >> 1
    return found


def _point(raw: bytes) -> Point | None:
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    x = x if x * x % _P == square else x * pow(2, (_P - 1) // 4, _P) % _P
    if x * x % _P != square or (not x and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def _ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    if key is None or r is None or base is None or s >= _L:
        return False
    hashed = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % _L
    a, b = _times(s, base), _add(r, _times(hashed, key))
    return (a[0] * b[2] - b[0] * a[2]) % _P == 0 and (a[1] * b[2] - b[1] * a[2]) % _P == 0


def _given(text: str) -> str:
    """Read a key: the line itself, or a file with it."""
    path = Path(text)
    return path.read_text(encoding="utf-8") if path.is_file() else text


def _is_key(text: str, kind: int) -> bool:
    try:
        _signed("", "", _given(text), kind)
    except (ValueError, OSError):
        return False
    return True


def main(given: list[str]) -> int:
    """Check what the command line names; gives the exit code."""
    say = sys.stdout.write
    if len(given) < 2:
        say("python stranger.py FILE KEY [WITNESS-KEY ...]\n")
        return 2
    try:
        raw = Path(given[0]).read_bytes()[:FILE_BYTES_MAX]
    except OSError:
        say(f"Nothing was checked: {given[0]} cannot be read.\n")
        return 2
    for number, one in enumerate(given[1:]):
        if not _is_key(one, 4 if number else 1):
            what = "a witness's key" if number else "the log's key"
            say(f"Nothing was checked: this is not {what}, one line as name+id+base64: {one}\n")
            return 2
    try:
        lines = check(raw.decode(), _given(given[1]), [_given(one) for one in given[2:]])
    except (Wrong, ValueError) as error:
        say(f"It does not hold: {error}\n")
        return 1
    say("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
