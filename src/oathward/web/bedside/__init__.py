"""What devices told of one patient, and whether the viewer cares for them now."""
