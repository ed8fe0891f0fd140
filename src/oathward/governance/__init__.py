"""The data governance register: who answers for each data set, link, recipient, release and backup, and under what agreement."""
