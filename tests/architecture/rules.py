"""The rules of the house as functions over source text, so that each can be shown to find a violation.

Every rule takes ``sources``: path relative to ``src`` -> parsed module, and gives one line for each violation.
"""

import ast
import gc
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Sources = Mapping[str, ast.Module]

BROAD_ALLOWED = {
    "oathward/gateway/path.py": "the boundary of the data path: anything unforeseen goes to quarantine",
    "oathward/ledger/follow.py": "the follower loop: one follower's failure does not stop the others",
}
"""The two places where ``except Exception`` may stand, once each."""

PRINT_ALLOWED = ("oathward/cli/", "oathward_sim/")


def real_sources() -> Sources:
    """Parse everything under src; without collections, which would go through all of it again and again (two thirds of the time)."""
    source = ROOT / "src"
    gc.disable()
    try:
        return {str(p.relative_to(source)): ast.parse(p.read_bytes()) for p in sorted(source.rglob("*.py"))}
    finally:
        gc.enable()


def planted(**files: str) -> Sources:
    """Parse made-up modules; ``__`` in a name stands for ``/``."""
    return {f"{name.replace('__', '/')}.py": ast.parse(text) for name, text in files.items()}


def folder_of(path: str) -> str:
    """Give the top-level part a module belongs to: ``oathward/ledger``, ``oathward/app``."""
    return "/".join(Path(path).with_suffix("").parts[:2])


def broad_excepts(sources: Sources) -> Iterator[str]:
    """``except Exception``, ``except BaseException`` and bare ``except`` that do not re-raise at their end."""
    for path, module in sources.items():
        found = [
            node.lineno
            for node in ast.walk(module)
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _re_raises(node)
        ]
        if path in BROAD_ALLOWED:
            found = found[1:]
        yield from (f"{path}:{line}" for line in found)


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(k, ast.Name) and k.id in {"Exception", "BaseException"} for k in kinds)


def _re_raises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def prints(sources: Sources) -> Iterator[str]:
    """``print(`` outside the commands and the simulator."""
    for path, module in sources.items():
        if path.startswith(PRINT_ALLOWED):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                yield f"{path}:{node.lineno}"


def opened_files(sources: Sources) -> Iterator[str]:
    """The built-in ``open`` in the parts that do no I/O; packaged data comes by ``importlib.resources``."""
    for path, module in sources.items():
        if not path.startswith(("oathward/protocols/", "oathward/deid/", "oathward/policy/")):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                yield f"{path}:{node.lineno}"


def tables(sources: Sources) -> dict[str, dict[str, str]]:
    """Map each table to its owner folders, and those to the name it is bound to there.

    A table has one owner in the site's database. The keeper's own store is another file with its own
    ``CREATE TABLE`` statements, and may use a name again.
    """
    found: dict[str, dict[str, str]] = {}
    for path, module in sources.items():
        for node in ast.walk(module):
            if isinstance(node, ast.Assign | ast.AnnAssign) and (name := _table_name(node.value)):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                found.setdefault(name, {})[folder_of(path)] = getattr(target, "id", "")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                for name in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", node.value):
                    found.setdefault(name, {}).setdefault(folder_of(path), "")
    return found


def _table_name(value: ast.expr | None) -> str:
    """Name of a table made in the site's METADATA; a table that a command prints is none."""
    match value:
        case ast.Call(
            func=ast.Name(id="Table") | ast.Attribute(attr="Table"),
            args=[
                ast.Constant(value=str(name)),
                ast.Name(id="METADATA") | ast.Attribute(attr="METADATA"),
                *_,
            ],
        ):
            return name
    return ""


def foreign_sql(sources: Sources) -> Iterator[str]:
    """SQL on another folder's table: by its name in a statement, or by laying hands on its ``Table``.

    Calling a function of the owner's ``sql`` module is fine: the statement stands with the owner.
    """
    owners = tables(sources)
    named = re.compile(
        r"\b(?:from|into|update|join|table|on|truncate)\s+(" + "|".join(map(re.escape, owners)) + r")\b",
        re.IGNORECASE,
    )
    for path, module in sources.items():
        here = folder_of(path)
        foreign = {
            (o, bound) for homes in owners.values() for o, bound in homes.items() if o != here and bound
        }
        documentation = _docstrings(module)
        homes: dict[str, str] = {}  # what a name in this module stands for -> the folder it comes from
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom):
                there = "/".join((node.module or "").split(".")[:2])
                for alias in node.names:
                    homes[alias.asname or alias.name] = (
                        f"oathward/{alias.name}" if there == "oathward" else there
                    )
                    if (there, alias.name) in foreign and alias.name != "sql":
                        yield f"{path}:{node.lineno} imports {node.module}.{alias.name}"
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                for name in named.findall(node.value) if _is_statement(node.value) else []:
                    if here not in owners[name.lower()]:
                        yield f"{path}:{node.lineno} SQL on {name} of {', '.join(owners[name.lower()])}"
        for node in ast.walk(module):
            owner = (
                node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
            )
            if owner and (homes.get(owner), node.attr) in foreign:
                yield f"{path}:{node.lineno} uses table {owner}.{node.attr}"


def _is_statement(text: str) -> bool:
    return (
        re.search(
            r"\b(select|insert|update|delete|create|drop|alter|join|from|truncate)\b", text, re.IGNORECASE
        )
        is not None
    )


def _docstrings(module: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            found |= {
                id(s.value) for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
            }
    return found


def public_classes(module: ast.Module) -> list[str]:
    """Public classes and type unions (``Decision = Permit | Deny``) of a module."""
    found = [n.name for n in module.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    for node in module.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and isinstance(node.targets[0], ast.Name)
        ):
            name = node.targets[0].id
            if not name.startswith("_") and not name.isupper():
                found.append(name)
    return found
