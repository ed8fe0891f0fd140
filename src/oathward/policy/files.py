"""The files of a bundle as bytes: limits, one canonical form, one digest.

Rules:
- Paths are relative, lower case, with ``/``; line ends are LF; the order of files does not matter.
- The canonical form is JSON of path → text, sorted: the body that the keeper signs.
- What a file says is what a person reads: no character moves the cursor, turns the direction of writing, or has no width.

Deliberately absent: reading from a disk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import orjson

from oathward.core.errors import PolicyError
from oathward.policy.errors import PolicyErrors

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that change what somebody reads and are not seen themselves."""

FILES_MAX = 2_000
FILE_SIZE_BYTES_MAX = 524_288
BUNDLE_SIZE_BYTES_MAX = 2_097_152
"""Half of what the keeper signs at once: the canonical form escapes line ends and quotes."""

_PATH = re.compile(r"(?:[a-z0-9][a-z0-9._-]*/)?[a-zA-Z0-9][a-zA-Z0-9._-]*")
_KNOWN = re.compile(
    r"bundle\.toml|protection\.toml|labels\.toml|projects\.toml|schema\.cedarschema|README\.md|"
    r"(recipients|links|profiles)/[^/]+\.toml|(policies|people)/[^/]+(\.cedar|\.test\.toml)"
)
_WHERE = "bundle.toml, protection.toml, labels.toml, projects.toml, schema.cedarschema, recipients/*.toml, links/*.toml, profiles/*.toml, policies/*.cedar, policies/*.test.toml, people/*.cedar, people/*.test.toml"


def normalise(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Bring a bundle's files into the one form: sorted, ``/`` in paths, LF, no byte order mark.

    Raises:
        PolicyErrors: too many, too large, a path or file name that nothing reads, or not text.
    """
    errors: list[PolicyError] = []
    if len(files) > FILES_MAX:
        raise PolicyErrors([PolicyError("bundle", f"more than {FILES_MAX} files")])
    clean: dict[str, bytes] = {}
    for given in sorted(files):
        path, content = given.replace("\\", "/"), files[given]
        if not _PATH.fullmatch(path) or not _KNOWN.fullmatch(path):
            errors.append(
                PolicyError(path, f"nothing reads this file; move it out, or name it one of {_WHERE}")
            )
        elif len(content) > FILE_SIZE_BYTES_MAX:
            errors.append(PolicyError(path, f"larger than {FILE_SIZE_BYTES_MAX} bytes"))
        elif b"\0" in content:
            errors.append(PolicyError(path, "not text"))
        elif found := UNSEEN.search(text := _text(content)):
            line = text.count("\n", 0, found.start()) + 1
            errors.append(PolicyError(f"{path}:{line}", f"{unseen(found[0])}; take it out"))
        else:
            clean[path] = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if sum(map(len, clean.values())) > BUNDLE_SIZE_BYTES_MAX:
        errors.append(PolicyError("bundle", f"larger than {BUNDLE_SIZE_BYTES_MAX} bytes in all"))
    if errors:
        raise PolicyErrors(errors)
    return clean


def _text(content: bytes) -> str:
    """Read a file as far as its characters go; whether it is UTF-8 is asked where it is read."""
    return (
        content.removeprefix(b"\xef\xbb\xbf")
        .replace(b"\r\n", b"\n")
        .replace(b"\r", b"\n")
        .decode(errors="ignore")
    )


def unseen(text: str) -> str:
    """Say which character of a text nobody sees, or that it has several lines; empty where all can be read."""
    found = UNSEEN.search(text) or re.search(r"[\n\t]", text)
    return f"holds U+{ord(found[0]):04X}, which changes what people read and is not seen" if found else ""


def canonical(files: Mapping[str, bytes]) -> bytes:
    """Write a bundle as the bytes that are signed; the same for equal bundles on every platform.

    Raises:
        PolicyErrors: as ``normalise``; also a file that is not UTF-8.
    """
    clean = normalise(files)
    texts: dict[str, str] = {}
    for path, content in clean.items():
        try:
            texts[path] = content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise PolicyErrors(
                [PolicyError(f"{path}:{line}", "not UTF-8; save the file as UTF-8")]
            ) from error
    return orjson.dumps({"files": texts}, option=orjson.OPT_SORT_KEYS)


def unpack(body: bytes) -> dict[str, bytes]:
    """Invert ``canonical``.

    Raises:
        PolicyErrors: not such a body.
    """
    try:
        texts = orjson.loads(body)["files"]
        return {str(path): text.encode() for path, text in texts.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyErrors([PolicyError("bundle", "not the canonical form of a bundle")]) from error


def digest(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(files)).digest()
