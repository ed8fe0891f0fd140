"""A socket of nobody, for connections without a network."""


class Transport:
    """Keeps what is written to it, and whether it was closed or reads no more."""

    def __init__(self):
        self.closed = self.paused = False
        self.written = b""

    def get_extra_info(self, _name):
        return None

    def set_write_buffer_limits(self, high):
        assert high

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def pause_reading(self):
        assert not self.paused
        self.paused = True

    def resume_reading(self):
        assert self.paused
        self.paused = False

    def write(self, data):
        assert not self.closed
        self.written += data
