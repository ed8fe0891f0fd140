"""Collect parts: one file, one constant, no registration.

A part is a module in a package that defines a constant with the agreed name, e.g. every module of
``oathward.deid.actions`` that has ``ACTION``. Third-party parts come by entry points and run only
when the settings name them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import entry_points


def collect(package: str, constant: str, *, third_party: Iterable[str] = ()) -> dict[str, object]:
    """Map module name to the part it defines, in name order.

    Args:
        package: dotted name, e.g. ``oathward.deid.actions``.
        constant: e.g. ``ACTION``; modules without it are not parts.
        third_party: entry-point names (group = package) that the settings allow.
    """
    home = importlib.import_module(package)
    parts: dict[str, object] = {}
    for module in pkgutil.iter_modules(home.__path__):
        part = getattr(importlib.import_module(f"{package}.{module.name}"), constant, None)
        if part is not None:
            parts[module.name] = part
    allowed = set(third_party)
    if allowed:
        parts |= {e.name: e.load() for e in entry_points(group=package) if e.name in allowed}
    return parts
