"""After a burst of work an agent is as small as before it."""

import subprocess
import sys

BLOCK_BYTES = 1024
BLOCKS = 40_000

# The last block stays: it keeps the C library from shrinking its heap by itself.
PROGRAM = f"""
import ctypes
from pathlib import Path
from agent.drivers import spare_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

blocks = [libc.malloc({BLOCK_BYTES}) for _ in range({BLOCKS})]
for block in blocks:
    ctypes.memset(block, 1, {BLOCK_BYTES})
for block in blocks[:-1]:
    libc.free(block)
before = resident_bytes()
spare_memory.give_back()
print(before - resident_bytes())
"""


def test_what_a_burst_left_goes_back_to_the_system() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=20
    )
    assert int(ended.stdout) > BLOCK_BYTES * BLOCKS // 2
