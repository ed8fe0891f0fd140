"""The shipped policies about people; ``access`` reads them. Tests stand beside them in ``tests/unit/policy/rules``."""
