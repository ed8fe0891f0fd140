"""Two policy engines asked the same as ours: role R may do action A on make M. ``decide.py ROUNDS COUNT...`` prints JSON."""

import json
import statistics
import sys
import time
from importlib.metadata import version

import casbin
import regopy

MODEL = """
[request_definition]
r = role, act, make
[policy_definition]
p = role, act, make, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.role == p.role && r.act == p.act && (p.make == "*" || r.make == p.make)
"""


def rules(count):
    """Twenty about the question's action, the last of them permitting; the others about other actions."""
    found = [(f"role-{n}", "devices.see", f"make-{n}", "allow") for n in range(min(count, 20) - 1)]
    found += [("engineer", "devices.see", "*", "allow")]
    return found + [(f"role-{n}", f"action-{n}", "*", "allow") for n in range(count - len(found))]


def of_casbin(count):
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    enforcer = casbin.Enforcer(model)
    for rule in rules(count):
        enforcer.add_policy(*rule)
    assert enforcer.enforce("engineer", "devices.see", "Acme") is True
    assert enforcer.enforce("nobody", "devices.see", "Acme") is False
    return lambda: enforcer.enforce("engineer", "devices.see", "Acme")


def of_rego(count):
    lines = ["package people", "import rego.v1", "default allow := false"]
    for role, act, make, _ in rules(count):
        more = "" if make == "*" else f'; input.make == "{make}"'
        lines.append(f'allow if {{ input.role == "{role}"; input.act == "{act}"{more} }}')
    engine = regopy.Interpreter()
    engine.add_module("people", "\n".join(lines))

    def ask(role="engineer"):
        engine.set_input({"role": role, "act": "devices.see", "make": "Acme"})
        return "true" in str(engine.query("data.people.allow"))

    assert ask() is True
    assert ask("nobody") is False
    return ask


def measured(ask, rounds):
    each = []
    for _ in range(rounds):
        begin = time.perf_counter_ns()
        ask()
        each.append((time.perf_counter_ns() - begin) / 1e3)
    return {"median_us": statistics.median(each), "p95_us": sorted(each)[int(len(each) * 0.95)]}


def main(rounds, *counts):
    found = {"versions": {"pycasbin": version("pycasbin"), "regopy": version("regopy")}}
    for name, make in (("pycasbin", of_casbin), ("regopy", of_rego)):
        found[name] = {str(c): measured(make(c), max(10, rounds * counts[0] // c)) for c in counts}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
