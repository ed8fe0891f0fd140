"""Subjects: random ids, the keyed identifiers that name them, and the edges between them."""
