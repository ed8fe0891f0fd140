"""The starter bundle: what ``oathward policy init`` writes and the demo renders.

The files beside this module are the bundle. Addresses and keys in them are placeholders; ``files``
puts real ones in their place, by recipient.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from importlib.resources.abc import Traversable

_SUFFIXES = (".toml", ".cedar", ".cedarschema", ".md")
_HOME = "oathward.policy.starter"
_TLS = """
[tls]
ca = "site-ca.pem"
certificate = "courier.pem"
key = "courier.key"
server_name = "localhost"
"""


def text(path: str) -> str:
    """Give the text of one file of the starter bundle as it stands, placeholders included."""
    return resources(_HOME).joinpath(*path.split("/")).read_text(encoding="utf-8")


def files(
    addresses: Mapping[str, str] | None = None,
    keys: Mapping[str, bytes] | None = None,
    server_names: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Render the starter bundle.

    Args:
        addresses: recipient id → ``mllps://host:port``, ``https://host:port/base``, ``mllp://host:port`` or
            ``file:folder``; those over TLS bring the table of its files along.
        keys: recipient id → its X25519 public key, 32 bytes.
        server_names: recipient id → the name in its TLS certificate.

    Raises:
        KeyError: a recipient the starter bundle does not have, or has not that line.
    """
    rendered = dict(_walk(resources(_HOME)))
    for recipient, address in (addresses or {}).items():
        path = f"recipients/{recipient}.toml"
        rendered[path] = _with_tls(rendered[path], wanted=address.startswith(("mllps:", "https:")))
    changes = (
        ("address", addresses or {}),
        ("public_key", {name: base64.b64encode(key).decode() for name, key in (keys or {}).items()}),
        ("server_name", server_names or {}),
    )
    for line, values in changes:
        for recipient, value in values.items():
            path = f"recipients/{recipient}.toml"
            rendered[path] = _replace(rendered[path], line, value)
    return {path: body.encode() for path, body in sorted(rendered.items())}


def _with_tls(body: str, *, wanted: bool) -> str:
    """Add the table of TLS files that mllps needs, or take it away."""
    rest, table, _ = body.partition("\n[tls]")
    if not wanted:
        return rest
    return body if table else rest + _TLS


def _replace(body: str, key: str, value: str) -> str:
    changed, count = re.subn(rf'(?m)^{key} = "[^"]*"', lambda _: f'{key} = "{value}"', body)
    if not count:
        raise KeyError(key)
    return changed


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIXES):
            yield prefix + entry.name, entry.read_text(encoding="utf-8")
