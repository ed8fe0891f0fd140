"""Benchmarks and the peers they run beside; not part of the wheel."""
