"""Memory that a burst of work left behind is given back to the system.

The C library keeps what was freed for the next allocation. After sixty tasks came and went in one
burst an agent held 12 MB more than before, for ever; on small nodes the agent must stay small.
"""

import ctypes
import gc
from functools import cache


def give_back() -> None:
    """Free what nothing refers to, and return the free pages; a few milliseconds of work.

    Where the C library cannot do it (only glibc can) the pages stay for later use.
    """
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> "ctypes._NamedFuncPointer | None":
    try:
        return ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return None
