"""Jobs of de-identification: which folders became data that can leave, how far each is, what it held, whose units it let out."""
