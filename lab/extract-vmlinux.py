#!/usr/bin/env python3
"""Takes the ELF kernel out of a bzImage: extract-vmlinux.py BZIMAGE VMLINUX

A microvm hangs on a bzImage, whose real-mode code wants a BIOS; the ELF inside has a PVH entry point. It is one
compressed piece of the image, and where it starts is told only by the magic number of its format. That number may
also occur by chance, so each place is tried until an ELF comes out.
"""

import lzma
import subprocess
import sys


def xz(data):
    try:
        return lzma.LZMADecompressor().decompress(data)
    except lzma.LZMAError:
        return b""


def tool(name):
    # What follows the compressed piece makes the tool fail, after it has written everything.
    return lambda data: subprocess.run(
        [name, "-dc"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


FORMATS = {
    b"\xfd7zXZ\x00": xz,
    b"\x28\xb5\x2f\xfd": tool("zstd"),
    b"\x1f\x8b\x08": tool("gzip"),
}


def kernel(image):
    for magic, unpack in FORMATS.items():
        start = image.find(magic)
        while start >= 0:
            unpacked = unpack(image[start:])
            if unpacked.startswith(b"\x7fELF"):
                return unpacked
            start = image.find(magic, start + 1)
    return None


source, result = sys.argv[1:]
with open(source, "rb") as file:
    elf = kernel(file.read())
if elf is None:
    sys.exit(f"lab: no ELF kernel found in {source}, tried xz, zstd and gzip")
with open(result, "wb") as file:
    file.write(elf)
