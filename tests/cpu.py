"""What a piece of work costs this process: for bounds that say how often nothing may be done, not how quick a machine is."""

import gc
import time


def cpu_s(work) -> float:
    """Give the CPU seconds of a piece of work.

    What others do on the machine does not count, nor what other tests left on the heap: without the freeze each
    collection meanwhile goes through all of theirs. It is for good, for tests are frozen too (``conftest.py``).
    """
    gc.collect()
    gc.freeze()
    start = time.process_time()
    work()
    return time.process_time() - start
