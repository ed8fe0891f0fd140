"""What devices told of one patient, as whoever may see it wants it: values, trends, alarms, gaps."""
