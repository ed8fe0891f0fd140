"""How many planted values of each class pass under each profile, as a text to compare with the one of before."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.shaped import PROFILES


def table(script: str, planted: Iterable[tuple[Iterable[str], Callable[[str], Iterable[str]]]]) -> str:
    """Write the table.

    Args:
        script: the file that writes it.
        planted: the classes of what was planted, and what gives those that a profile lets pass; one a message.
    """
    counts: dict[str, Counter[str]] = {profile: Counter() for profile in PROFILES}
    total: Counter[str] = Counter()
    for classes, passing in planted:
        total.update(classes)
        for profile in PROFILES:
            counts[profile].update(passing(profile))
    lines = [f"# Planted values that pass, by profile and class. Written by tests/conformance/{script}."]
    lines.append(f"{'class':28}{'planted':>9}" + "".join(f"{profile:>18}" for profile in PROFILES))
    for cls in sorted(total):
        row = "".join(f"{counts[profile][cls]:>18}" for profile in PROFILES)
        lines.append(f"{cls:28}{total[cls]:>9}{row}")
    return "\n".join(lines) + "\n"
