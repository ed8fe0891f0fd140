"""Commands: parse, call, render. No rules and no SQL here."""
