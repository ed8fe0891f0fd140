"""What may be asked of the keeper: what an operation is, their table a socket, and those that belong to no other room."""
