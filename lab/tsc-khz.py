#!/usr/bin/env python3
"""Prints the frequency of this processor's time stamp counter, in kHz.

The emulated processor passes the counter through, but the lab's kernel has nothing precise to calibrate it with:
untold, most boots hang, or the clock is 4 ms coarse. User code cannot ask for the frequency, so it is measured
against the monotonic clock for 0.1 s (within about 0.01 %).
"""

import ctypes
import mmap
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
READ_COUNTER = bytes.fromhex("0f31 48c1e220 4809d0 c3")

code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(READ_COUNTER)
counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

start, first = time.monotonic_ns(), counter()
time.sleep(0.1)
end, last = time.monotonic_ns(), counter()
print((last - first) * 1_000_000 // (end - start))
