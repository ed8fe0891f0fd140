"""The ledger: append, follow, checkpoint, prove, verify from disk alone.

| file | what |
|---|---|
| ``records`` | a record and its leaf; ``prepare`` before the transaction |
| ``log`` | ``append`` as its last statement, ``head``, ``start`` |
| ``merkle``, ``proofs`` | the tree as pure functions; proofs out of stored tiles |
| ``note``, ``checkpoint`` | signed notes, checkpoints that only extend |
| ``reading``, ``postings`` | one record, searches; the index behind them |
| ``follow`` | parts that act on records afterwards |
| ``removal``, ``restore`` | retention and erasure; records lost in a restore |
| ``verify`` with ``rows``, ``tree``, ``sources``, ``report`` | everything checked again |
| ``export``, ``offline`` | a folder, and a single proof, that strangers can check |
| ``witness`` with ``witness_wire``, ``_server``, ``_client`` | the outside witness |
"""

from oathward.ledger.log import Head, append, head, start
from oathward.ledger.postings import index
from oathward.ledger.proofs import consistency_proof, inclusion_proof
from oathward.ledger.reading import Entry, Query, entries, entry, facts, naming, search
from oathward.ledger.records import Leaf, Record, prepare
from oathward.ledger.removal import remove_bodies, remove_body, remove_facts

__all__ = [
    "Entry",
    "Head",
    "Leaf",
    "Query",
    "Record",
    "append",
    "consistency_proof",
    "entries",
    "entry",
    "facts",
    "head",
    "inclusion_proof",
    "index",
    "naming",
    "prepare",
    "remove_bodies",
    "remove_body",
    "remove_facts",
    "search",
    "start",
]
