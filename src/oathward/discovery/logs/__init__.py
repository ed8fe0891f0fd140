"""What observers of logs and flow records share: blocks of lines, columns of frames, what was gathered so far."""
