"""The wires: one folder a protocol, each with decode, encode, reply and catalogue.

Rules:
- Bytes in, bytes out: no socket, no file, no clock; time and ids are arguments.
- Whatever bytes come, a codec gives a value or raises ``DecodeError`` with a reason and a place.
- A value of a message leaves a codec only as ``Phi`` or as bytes that the caller must keep sealed.

Deliberately absent: decisions. A catalogue says what an element is, never what may happen to it.
"""
