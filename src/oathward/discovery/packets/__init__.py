"""Captures of packets read as flows and statements: containers, layers, flows, streams, and what stands at the head of each.

Rules:
- One pass, packet by packet; a capture may be larger than memory. Every table has a bound, and what is dropped at one is counted.
- A packet of a usual form (Ethernet, IPv4 without options, TCP or UDP) goes the short way in ``flows``; every other is looked at in ``layers``.
- Every length is a claim: what it promises and the bytes do not hold is counted, and the next packet is read.
- What a payload says of a device is a statement; what it says of a patient is a count of classes (``clear``). Neither is kept as bytes
  any longer than its reader needs it.

Deliberately absent: reassembly of IP fragments, decryption, wireless frames.
"""
