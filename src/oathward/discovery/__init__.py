"""What stands on the network and who speaks with whom, read out of what others have seen: captures, logs, flow records, lists.

Rules:
- Passive. Nothing here sends a packet, resolves a name or asks a device; an interface is read by ``dumpcap``, which only listens.
- Foreign bytes are a stranger's: read in bounded pieces, under limits, in linear time. What cannot be read is counted by reason and place
  (``Seen.refused``), and what comes behind it is still read.
- Payloads stay in memory for as long as a packet is looked at. What leaves an observer is who, when, how much, and which classes of data,
  as counts: never a value of a patient.
- Names that devices give themselves (host names, AE titles, applications) are claims: printable, cut at ``model.VALUE_LENGTH_MAX``.

Deliberately absent: who is who (``endpoints``), what was declared (``mapping``), any database.
"""
