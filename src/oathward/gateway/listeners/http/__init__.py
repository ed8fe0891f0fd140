"""HTTP/1.1 under limits, whatever is said by it: ``reading`` and ``body`` (no sockets), ``connection``, ``answer``."""
