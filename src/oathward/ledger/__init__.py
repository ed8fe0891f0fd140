"""The ledger: append, follow, checkpoint, prove, verify from disk alone."""

from oathward.ledger.log import Head, append, head
from oathward.ledger.records import Leaf, Record, prepare

__all__ = ["Head", "Leaf", "Record", "append", "head", "prepare"]
