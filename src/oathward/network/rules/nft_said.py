"""A rule of ``nft -j list ruleset`` as ``nft list ruleset`` writes it, for people. Pure.

Rules:
- What is written here reads back by ``nft_text`` as the same rule, where that reader knows its statements; a test holds both to it.
- A statement of another form than is known here is its name and ``…``: never a guess at what it does.
- A long set is cut to ``ELEMENTS_MAX`` elements and ``…``: this is for looking at; what is decided comes from the objects.

Source: libnftables-json(5); nft(8), Statements and Expressions.
"""

from __future__ import annotations

from typing import Any

from oathward.network.rules.nft_text import METAS, VERDICTS

Tree = dict[str, Any]

ELEMENTS_MAX = 20
_NAMES = frozenset({"iifname", "oifname", "ibrname", "obrname", "cgroup"})
"""Keys whose values are names that nft quotes."""

_BARE = METAS - {"protocol", "length", "priority", "random", "time", "day", "hour"} - {"l4proto", "nfproto"}
"""Keys of ``meta`` that nft writes without the word."""

_LOGGED = ("prefix", "group", "snaplen", "queue-threshold", "level", "flags")


def said(expr: Any, comment: str = "") -> str:
    """Write a rule's statements on one line.

    Args:
        expr: ``expr`` of a rule's object. comment: the rule's own.
    """
    words = [_statement(*next(iter(one.items()))) for one in expr if isinstance(one, dict) and one]
    if comment:
        words.append(f"comment {_quoted(comment)}")
    return " ".join(words)


def _statement(kind: str, value: Any) -> str:
    if value in (None, ""):
        return kind
    writer = _STATEMENTS.get(kind)
    try:
        return writer(value) if writer else f"{kind} …"
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError, StopIteration):
        return f"{kind} …"


def _match(value: Tree) -> str:
    op, left = str(value["op"]), value["left"]
    bits = isinstance(left, dict) and bool(left.keys() & _BINARY.keys())
    sign = "" if op == "in" or (op == "==" and not bits) else f"{op} "
    return f"{_key(value['left'])} {sign}{_value(value['right'], quote=_is_name(value['left']))}"


def _vmap(value: Tree) -> str:
    return f"{_key(value['key'])} vmap {_value(value['data'], quote=_is_name(value['key']))}"


def _mangle(value: Tree) -> str:
    return f"{_key(value['key'])} set {_value(value['value'])}"


def _counter(value: Any) -> str:
    if isinstance(value, str):
        return f"counter name {_quoted(value)}"
    return f"counter packets {int(value['packets'])} bytes {int(value.get('bytes', 0))}"


def _log(value: Tree) -> str:
    parts = [f"{name} {_option(value[name])}" for name in _LOGGED if name in value]
    return " ".join(["log", *parts])


def _limit(value: Tree) -> str:
    unit = value.get("rate_unit", "packets")
    rate = f"{int(value['rate'])}{'' if unit == 'packets' else f' {unit}'}/{value['per']}"
    burst = f" burst {int(value['burst'])} {value.get('burst_unit', 'packets')}" if value.get("burst") else ""
    return f"limit rate {'over ' if value.get('inv') else ''}{rate}{burst}"


def _reject(value: Tree) -> str:
    kind = str(value.get("type", ""))
    if kind == "tcp reset":
        return "reject with tcp reset"
    words = ["reject", *(["with", kind] if kind else [])]
    if "expr" in value:
        words += [*([] if kind == "icmpx" else ["type"]), _value(value["expr"])]
    return " ".join(words)


def _translated(kind: str) -> Any:
    def write(value: Tree) -> str:
        to = _value(value["addr"]) if "addr" in value else ""
        port = f":{_value(value['port'])}" if "port" in value else ""
        family = f" {value['family']}" if "family" in value else ""
        flags = " ".join(_words(value.get("flags", [])))
        return " ".join(
            word for word in (f"{kind}{family}", f"to {to}{port}" if to or port else "", flags) if word
        )

    return write


def _target(kind: str) -> Any:
    return lambda value: f"{kind} {value['target']}"


_STATEMENTS: dict[str, Any] = {
    "match": _match,
    "vmap": _vmap,
    "mangle": _mangle,
    "counter": _counter,
    "log": _log,
    "limit": _limit,
    "reject": _reject,
    "comment": lambda value: f"comment {_quoted(str(value))}",
    "jump": _target("jump"),
    "goto": _target("goto"),
} | {kind: _translated(kind) for kind in ("snat", "dnat", "masquerade", "redirect", "tproxy")}


def _key(left: Any) -> str:
    if not isinstance(left, dict):
        return _value(left)
    kind, body = next(iter(left.items()))
    return _KEYS[kind](body) if kind in _KEYS else f"{_key(body[0])} {_BINARY[kind]} {_value(body[1])}"


def _payload(body: Tree) -> str:
    if "protocol" in body:
        return f"{body['protocol']} {body['field']}"
    return f"@{body['base']},{int(body['offset'])},{int(body['len'])}"


_KEYS: dict[str, Any] = {
    "concat": lambda body: " . ".join(_key(one) for one in body),
    "payload": _payload,
    "meta": lambda body: str(body["key"]) if body["key"] in _BARE else f"meta {body['key']}",
    "ct": lambda body: " ".join(["ct", *([str(body["dir"])] if "dir" in body else []), str(body["key"])]),
    "fib": lambda body: f"fib {' . '.join(_words(body.get('flags', [])))} {body['result']}",
}
_BINARY = {sign: sign for sign in ("&", "|", "^", "<<", ">>")}


def _is_name(left: Any) -> bool:
    meta = left.get("meta") if isinstance(left, dict) else None
    return isinstance(meta, dict) and meta.get("key") in _NAMES


def _value(value: Any, *, quote: bool = False) -> str:
    if isinstance(value, str):
        return _quoted(value) if quote and not value.startswith("@") and value != "*" else value
    if isinstance(value, bool):
        return "exists" if value else "missing"
    if isinstance(value, list):
        return ",".join(_value(one, quote=quote) for one in value)
    return _tree(value, quote=quote) if isinstance(value, dict) else str(int(value))


def _tree(value: Tree, *, quote: bool) -> str:
    kind, body = next(iter(value.items()))
    if kind in VERDICTS or kind in {"jump", "goto"}:
        return f"{kind} {body['target']}" if isinstance(body, dict) else kind
    if kind == "set":
        return _set(body if isinstance(body, list) else [body], quote=quote)
    if kind == "concat":
        return " . ".join(_value(one, quote=quote) for one in body)
    if kind == "elem":
        return _value(body["val"], quote=quote)
    return _SPANS[kind](body) if kind in _SPANS else _key(value)


_SPANS: dict[str, Any] = {
    "prefix": lambda body: f"{body['addr']}/{int(body['len'])}",
    "range": lambda body: f"{_value(body[0])}-{_value(body[1])}",
}


def _set(elements: list[Any], *, quote: bool) -> str:
    def one(element: Any) -> str:
        if isinstance(element, list):  # of a map: what it is, and what follows
            return f"{_value(element[0], quote=quote)} : {_value(element[1])}"
        return _value(element, quote=quote)

    shown = [one(element) for element in elements[:ELEMENTS_MAX]]
    if len(elements) > ELEMENTS_MAX:
        shown.append("…")
    return f"{{ {', '.join(shown)} }}"


def _option(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) and " " in value else ",".join(_words(value))


def _words(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'
