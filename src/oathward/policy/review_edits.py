"""Changes of a bundle's files as text: what a review proposes, and nothing around it is touched.

Rules:
- Comments and order stay; what goes is a whole policy, a whole block, a whole file, or one list's words.
- What only spoke of what goes, goes with it: a link's own policies and test cases.

Deliberately absent: whether the bundle is still one afterwards (``review_findings.offered``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from oathward.policy.bundle import Bundle
from oathward.policy.statements import Statement, references, without

Files = Mapping[str, bytes]
Changes = dict[str, bytes | None]


def without_policies(files: Files, statements: Iterable[Statement]) -> Changes:
    """Take policies out of their files; a file that has none left goes."""
    lines: dict[str, set[int]] = {}
    for one in statements:
        path, _, line = one.where.rpartition(":")
        lines.setdefault(path, set()).add(int(line))
    found: Changes = {}
    for path, some in lines.items():
        text = without(files[path].decode(), some)
        found[path] = text.encode() if ";" in re.sub(r"//[^\n]*", "", text) else None
    return found


def without_link(bundle: Bundle, files: Files, link: str) -> Changes:
    """Take a link away, with the policies that are about it alone, and its test cases."""
    own = [one for one in bundle.policies if _about(one) == {("Link", link)}]
    found = without_policies(files, own)
    for path, content in files.items():
        if path.startswith("links/") and _says(content, "id", link):
            found[path] = None
        elif path.startswith("policies/") and path.endswith(".test.toml"):
            text = content.decode()
            left = without_blocks(text, "case", "link", link)
            if left != text:
                found[path] = left.encode() if "[[" in left else None
    return found


def _about(one: Statement) -> set[tuple[str, str]]:
    return {named for named in references(one.tree) if named[0] in {"Link", "Recipient"}}


def without_recipient(files: Files, recipient: str) -> Changes:
    """Take a recipient's file away."""
    return {
        path: None
        for path, content in files.items()
        if path.startswith("recipients/") and _says(content, "id", recipient)
    }


def without_label(files: Files, rule: str) -> Changes:
    """Take one rule out of the table of labels."""
    text = files["labels.toml"].decode()
    return {"labels.toml": without_blocks(text, "rules", "id", rule).encode()}


def without_blocks(text: str, name: str, key: str, value: str) -> str:
    """Take the blocks ``[[name]]`` out of a TOML text in which a key has a value."""
    head = re.compile(rf"(?m)^\[\[{name}\]\]")
    starts = [match.start() for match in head.finditer(text)]
    if not starts:
        return text
    parts = [text[: starts[0]]]
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        block = text[start:stop]
        if not _says(block.encode(), key, value):
            parts.append(block)
    return "".join(parts)


def with_list(files: Files, link: str, key: str, words: Sequence[str]) -> Changes:
    """Write another list for a key of a link."""
    for path, content in files.items():
        if path.startswith("links/") and _says(content, "id", link):
            written = ", ".join(f'"{word}"' for word in words)
            text, count = re.subn(
                rf"(?ms)^{re.escape(key)}\s*=\s*\[[^\]]*\]", f"{key} = [{written}]", content.decode(), count=1
            )
            return {path: text.encode()} if count else {}
    return {}


def _says(content: bytes, key: str, value: str) -> bool:
    """Whether a TOML text has a line that gives a key this text."""
    pattern = rf"(?m)^{re.escape(key)}\s*=\s*\"{re.escape(value)}\"\s*(?:#.*)?$"
    return re.search(pattern, content.decode()) is not None
