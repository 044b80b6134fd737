# SPDX-License-Identifier: Apache-2.0
"""A program under test whose allocations fail, whose clocks lie, and which crashes when told to: shim.c, preloaded."""
import mmap
import os
import struct
import subprocess

from lbtest import HERE, folder


class Shim:
    """env: for the program's environment."""

    def __init__(self):
        where = folder()
        library, control = os.path.join(where, "shim.so"), os.path.join(where, "control")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-w", "-o", library,
                        os.path.join(HERE, "shim.c")], check=True)
        with open(control, "w+b") as f:
            f.write(bytes(4096))
            f.flush()
            self.map = mmap.mmap(f.fileno(), 4096)
        self.env = dict(os.environ, LD_PRELOAD=library, SHIM_CONTROL=control)

    def shift_wall(self, seconds):
        self.map[0:8] = struct.pack("q", int(seconds * 1e9))

    def shift_mono(self, seconds):
        self.map[8:16] = struct.pack("q", int(seconds * 1e9))

    def fail_one_in(self, n):
        self.map[16:20] = struct.pack("I", n)

    def fail_after(self, n):
        """The n-th allocation from now fails, and no other; 0: none."""
        self.map[24:28] = struct.pack("I", n)

    def left(self):
        """What is left of it: 0 once it has failed."""
        return struct.unpack("I", self.map[24:28])[0]

    def n_failed(self):
        return struct.unpack("I", self.map[20:24])[0]

    def crash(self, how):
        """In the next strftime(): 1 a bad address, 2 no stack left, 3 abort(); until told otherwise 4 busy, 5 asleep."""
        self.map[28:32] = struct.pack("I", how)
