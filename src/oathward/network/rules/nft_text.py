"""``nft list ruleset`` as the same objects that ``nft -j list ruleset`` gives. Pure.

Rules:
- A statement this reader does not know makes the rest of its rule ``{"unclear": words}``, with the verdicts that stand in it; the next rule
  is read as ever. A block it does not know is passed over by its braces and named in ``unclear``.
- Linear: each token is looked at once.

Source: nft(8); libnftables-json(5).
"""

from __future__ import annotations

import re
from typing import Any

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network.rules.nft_tokens import Reader, Token, Unknown, tokens_of

Tree = dict[str, Any]

_NUMBER = re.compile(r"\d{1,10}|0x[0-9a-fA-F]{1,8}").fullmatch
_ADDRESS = re.compile(r"[0-9a-fA-F]*[.:][0-9a-fA-F.:]*").fullmatch
TEXT_LENGTH_MAX = 300

PAYLOADS = frozenset(
    [
        "ip",
        "ip6",
        "tcp",
        "udp",
        "th",
        "sctp",
        "dccp",
        "udplite",
        "icmp",
        "icmpv6",
        "igmp",
        "ether",
        "arp",
        "esp",
        "ah",
        "comp",
        "vlan",
    ]
)
METAS = frozenset(
    [
        "iif",
        "iifname",
        "iiftype",
        "iifgroup",
        "oif",
        "oifname",
        "oiftype",
        "oifgroup",
        "mark",
        "l4proto",
        "nfproto",
        "protocol",
        "length",
        "priority",
        "skuid",
        "skgid",
        "cgroup",
        "pkttype",
        "cpu",
        "random",
        "time",
        "day",
        "hour",
        "rtclassid",
        "ibrname",
        "obrname",
    ]
)
VERDICTS = frozenset({"accept", "drop", "continue", "return"})
_REST = frozenset({"reject", "queue", "masquerade", "snat", "dnat", "redirect", "tproxy"})
_LOG_PAIRS = frozenset({"prefix", "level", "group", "snaplen", "queue-threshold", "flags"})


def read(text: str) -> tuple[list[Tree], list[str]]:
    """Read a whole listing: objects as JSON has them, and what was passed over.

    Raises:
        InputError: ``message.truncated``, it ends inside a block.
    """
    reader = Reader(tokens_of(text))
    reader.lines()
    while reader.peek().kind != "end":
        if reader.has("table"):
            _table(reader)
        else:
            token = reader.peek()
            reader.unclear.append(f"line {token.line}: {token.text[:40]}")
            if not reader.until_line():
                reader.at += 1  # a brace that closes nothing
        reader.lines()
    return reader.objects, reader.unclear


def _table(reader: Reader) -> None:
    first = reader.take().text
    family, name = ("ip", first) if reader.peek().text == "{" else (first, reader.take().text)
    reader.need("{")
    table: Tree = {"family": family, "name": name}
    reader.objects.append({"table": table})
    reader.lines()
    while not reader.has("}"):
        if reader.peek().kind == "end":
            raise InputError("end", "a table is not closed", reason=Reason.TRUNCATED)
        if reader.peek().kind == "handle":
            reader.take()
        elif reader.peek().text == "flags":
            table["flags"] = [word for word in reader.until_line()[1:] if word != ","]
        elif reader.peek().text in _BLOCKS and reader.peek(2).text == "{":
            _BLOCKS[reader.take().text](reader, family, name, reader.take().text)
        else:
            reader.unclear.append(f"line {reader.peek().line}: {reader.peek().text[:40]}")
            if not reader.until_line():
                reader.at += 1
        reader.lines()


def _chain(reader: Reader, family: str, table: str, name: str) -> None:
    reader.need("{")
    chain: Tree = {"family": family, "table": table, "name": name}
    reader.objects.append({"chain": chain})
    reader.lines()
    while not reader.has("}"):
        token = reader.peek()
        if token.kind == "end":
            raise InputError("end", "a chain is not closed", reason=Reason.TRUNCATED)
        if token.kind == "handle":
            reader.take()
        elif token.text in {"type", "policy", "comment", "flags", "devices"} and token.kind == "word":
            _head(chain, reader.until_line())
        else:
            reader.objects.append({"rule": {"family": family, "table": table, "chain": name} | _rule(reader)})
        reader.lines()


def _head(chain: Tree, words: list[str]) -> None:
    if words[0] == "policy":
        chain["policy"] = words[-1]
    elif words[0] == "type" and "hook" in words:
        chain |= {"type": words[1], "hook": words[words.index("hook") + 1]}
        if "priority" in words:
            chain["prio"] = " ".join(words[words.index("priority") + 1 :])


def _set(reader: Reader, family: str, table: str, name: str) -> None:
    reader.need("{")
    body: Tree = {"family": family, "table": table, "name": name, "elem": []}
    reader.objects.append({"set": body})
    reader.lines()
    while not reader.has("}"):
        if reader.peek().kind == "end":
            raise InputError("end", "a set is not closed", reason=Reason.TRUNCATED)
        if reader.peek().kind == "handle":
            reader.take()
        elif reader.has("elements"):
            reader.need("=")
            mark = reader.at
            try:
                body["elem"] = _elements(reader)
            except Unknown:
                reader.at = mark
                reader.until_line()
                body["elem"] = [{"unclear": "element"}]
        else:
            words = reader.until_line()
            if not words:
                reader.at += 1
            elif words[0] == "flags":
                body["flags"] = [word for word in words[1:] if word != ","]
            elif words[0] == "timeout":
                body["timeout"] = 1
        reader.lines()


def _object(reader: Reader, family: str, table: str, name: str) -> None:
    """A named counter; of others nothing but that they are there."""
    words = reader.until_line()
    if "packets" in words and (count := words[words.index("packets") + 1]).isdecimal():
        body = {"family": family, "table": table, "name": name, "packets": int(count)}
        reader.objects.append({"counter": body})


_BLOCKS = {"chain": _chain, "set": _set, "map": _set, "counter": _object, "quota": _object, "limit": _object}


def _rule(reader: Reader) -> Tree:
    begin = reader.at
    body: Tree = {"expr": []}
    while reader.peek().kind not in {"line", "end", "handle"} and reader.peek().text != "}":
        mark = reader.at
        try:
            body["expr"].append(_statement(reader))
        except Unknown:
            reader.at = mark
            words = reader.until_line()
            if not words:
                reader.at += 1  # a mark that belongs to nothing
            body["expr"].append({"unclear": words[:40]})
    body["text"] = _text(reader.tokens[begin : reader.at])
    if reader.peek().kind == "handle":
        body["handle"] = int(reader.take().text.rpartition(" ")[2])
    return body


def _text(tokens: list[Token]) -> str:
    return cut(" ".join(token.text for token in tokens if token.kind != "line").replace(" , ", ", "))


def cut(text: str) -> str:
    """Give what is kept of a rule's text; ``…`` stands for what is not."""
    return text if len(text) <= TEXT_LENGTH_MAX else f"{text[: TEXT_LENGTH_MAX - 1]}…"


def _statement(reader: Reader) -> Tree:
    word = reader.peek().text
    if word in VERDICTS:
        return {reader.take().text: None}
    if word in {"jump", "goto"}:
        return {reader.take().text: {"target": reader.take().text}}
    simple = {"counter": _counter, "log": _log, "limit": _limit, "comment": _comment, "notrack": _notrack}
    if word in _REST:
        return {word: " ".join(reader.until_line()[1:])}
    if word in simple:
        reader.take()
        return simple[word](reader)
    return _match(reader)


def _match(reader: Reader) -> Tree:
    left = _expression(reader)
    if reader.has("set"):
        _operand(reader)
        return {"mangle": {"key": left}}
    if reader.has("vmap"):
        return {"vmap": {"key": left, "data": _value(reader)}}
    op = reader.take().text if reader.peek().kind == "op" or reader.peek().text in {"<", ">"} else ""
    right = _value(reader)
    if reader.peek().text in {"&", "|", "/", "^", "("} or reader.peek().kind == "op":
        raise Unknown
    return {"match": {"op": op or ("in" if isinstance(right, list) else "=="), "left": left, "right": right}}


def _counter(reader: Reader) -> Tree:
    if reader.has("name"):
        return {"counter": reader.take().text.strip('"')}
    if not reader.has("packets"):
        return {"counter": None}
    packets = reader.take().text
    reader.has("bytes")
    size = reader.take().text
    counted = {"packets": packets, "bytes": size}
    return {"counter": {name: int(text) if text.isdecimal() else 0 for name, text in counted.items()}}


def _log(reader: Reader) -> Tree:
    while reader.peek().text in _LOG_PAIRS and reader.peek().kind == "word":
        reader.take()
        reader.take()
    return {"log": None}


def _limit(reader: Reader) -> Tree:
    if not reader.has("rate"):
        raise Unknown
    reader.has("over")
    reader.take()
    if reader.peek().text in {"bytes", "kbytes", "mbytes"} or reader.peek().text.startswith(
        ("bytes/", "kbytes/", "mbytes/")
    ):
        reader.take()
    if reader.has("burst"):
        reader.take()
        reader.take()
    return {"limit": None}


def _comment(reader: Reader) -> Tree:
    reader.take()
    return {"comment": None}


def _notrack(reader: Reader) -> Tree:
    del reader
    return {"notrack": None}


def _expression(reader: Reader) -> Tree:
    keys = [_key(reader)]
    while reader.has("."):
        keys.append(_key(reader))
    return keys[0] if len(keys) == 1 else {"concat": keys}


def _key(reader: Reader) -> Tree:
    first = reader.take()
    second = reader.peek()
    if first.kind != "word":
        raise Unknown
    if first.text in METAS:
        return {"meta": {"key": first.text}}
    if second.kind != "word" or first.text not in PAYLOADS | {"meta", "ct"}:
        raise Unknown
    reader.take()
    if first.text == "meta":
        return {"meta": {"key": second.text}}
    if first.text == "ct":
        if second.text in {"original", "reply"}:
            raise Unknown
        return {"ct": {"key": second.text}}
    return {"payload": {"protocol": first.text, "field": second.text}}


def _value(reader: Reader) -> Any:
    if reader.peek().text == "{":
        return {"set": _elements(reader)}
    found = [_operand(reader)]
    while reader.has(","):
        found.append(_operand(reader))
    return found[0] if len(found) == 1 else found


def _operand(reader: Reader) -> Any:
    parts = [_atom(reader)]
    while reader.has("."):
        parts.append(_atom(reader))
    return parts[0] if len(parts) == 1 else {"concat": parts}


def _atom(reader: Reader) -> Any:
    token = reader.take()
    if token.kind == "string":
        return token.text[1:-1]
    if token.kind != "word":
        raise Unknown
    word = token.text
    if _NUMBER(word):
        return int(word, 0) if not word.startswith("0") or word[1:2] in {"", "x"} else int(word)
    first, dash, last = word.partition("-")
    if dash and all(_NUMBER(end) or _ADDRESS(end) for end in (first, last)):
        return {"range": [int(end) if end.isdecimal() else end for end in (first, last)]}
    network, slash, length = word.partition("/")
    if slash and _ADDRESS(network) and length.isdecimal():
        return {"prefix": {"addr": network, "len": int(length)}}
    return word


def _elements(reader: Reader) -> list[Any]:
    reader.need("{")
    found: list[Any] = []
    reader.lines()
    while not reader.has("}"):
        value = _operand(reader)
        value = _with_options(reader, value)
        if reader.has(":"):
            word = reader.peek().text
            verdict = (
                _statement(reader)
                if word in VERDICTS | {"jump", "goto"}
                else {"unclear": [str(_operand(reader))]}
            )
            found.append([value, verdict])
        else:
            found.append(value)
        reader.lines()
        if not reader.has(",") and reader.peek().text != "}":
            raise Unknown
        reader.lines()
    return found


def _with_options(reader: Reader, value: Any) -> Any:
    """What stands behind an element: a count, a comment, how long it stays."""
    options: Tree = {}
    while reader.peek().text in {"timeout", "expires", "counter", "comment", "last", "limit"}:
        word = reader.take().text
        if word == "counter":
            _counter(reader)
        elif word in {"limit", "last"}:
            raise Unknown
        else:
            options[word] = reader.take().text
    return {"elem": {"val": value} | options} if "timeout" in options else value
