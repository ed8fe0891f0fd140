"""The network as it was seen and as it is planned: realms, segments and zones, totals of flows, rules in force."""
