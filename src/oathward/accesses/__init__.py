"""Access explained: why each opening of a patient's data was, out of what is on record; what nothing explains is reviewed."""
