"""What became of each message: accepted, held, waiting for delivery, dead. Shared by gateway and courier.

Rules:
- A row holds ids, digests, codes and references to sealed bodies; never a value of a message.
- The outbox row of a delivery is deleted in the transaction that records it; what is there is not delivered.
- Order is by ``seq`` within one (link, sender).

Deliberately absent: bodies (vault), reasons in words (core.reasons), search over history (the ledger).
"""
