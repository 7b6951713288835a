#!/usr/bin/env python3
"""A wire between two network namespaces that loses, delays, reorders or is cut.

Usage: wire.py PID PID [SEED]

Each namespace is that of a process; the first gets the address 10.99.0.1 on an interface named
"wire", the second 10.99.0.2. The wire is this program: two tun devices, and packets that go from
one to the other when and if they are to. So it works where the kernel has no netem, and the same
seed makes the same decisions. Says "up" when it is, and then obeys lines on stdin:

  loss P        each packet is lost with that probability, 0 to 1
  delay MS      each packet takes that long
  reorder P     each packet overtakes those on the wire with that probability
  cut, mend     nothing passes; all passes again
  count         answers "passed N, lost N, reordered N, cut N"

Ends with its stdin. Needs root, or whoever may open /dev/net/tun and make devices.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

# Packets on the wire in one direction; what comes beyond that is lost, as in a router.
LIMIT = 1000


def plug(pid, address):
    """A tun device in the network of that process."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net", "rb") as network:
        if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"enter the network of {pid}: {os.strerror(error)}")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    request = struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI)
    fcntl.ioctl(tun, TUNSETIFF, request)
    for command in (
        f"ip address add {address}/24 dev wire",
        "ip link set wire mtu 1400 up",
    ):
        subprocess.run(command.split(), check=True)
    return tun


class Wire:
    """Both directions, and what is on its way."""

    def __init__(self, ends, seed):
        self.other = {ends[0]: ends[1], ends[1]: ends[0]}
        self.random = random.Random(seed)
        self.loss = self.delay = self.reorder = 0.0
        self.is_cut = False
        # (when it arrives, a number so that none is compared further, where, what)
        self.flying = []
        self.load = dict.fromkeys(ends, 0)
        self.number = 0
        self.counts = dict.fromkeys(("passed", "lost", "reordered", "cut"), 0)

    def take(self, end, packet, now):
        """A packet enters at this end."""
        if self.is_cut:
            self.counts["cut"] += 1
            return
        if self.random.random() < self.loss or self.load[end] >= LIMIT:
            self.counts["lost"] += 1
            return
        due = now + self.delay
        if self.random.random() < self.reorder:
            self.counts["reordered"] += 1
            due = now
        self.number += 1
        self.load[end] += 1
        heapq.heappush(self.flying, (due, self.number, end, packet))

    def deliver(self, now):
        """What is due leaves at the other end."""
        while self.flying and self.flying[0][0] <= now:
            _, _, end, packet = heapq.heappop(self.flying)
            self.load[end] -= 1
            if self.is_cut:
                self.counts["cut"] += 1
                continue
            self.counts["passed"] += 1
            try:
                os.write(self.other[end], packet)
            except OSError:
                self.counts["lost"] += 1

    def obey(self, line):
        match line.split():
            case ["loss", value]:
                self.loss = float(value)
            case ["delay", value]:
                self.delay = float(value) / 1000
            case ["reorder", value]:
                self.reorder = float(value)
            case ["cut"]:
                self.is_cut = True
            case ["mend"]:
                self.is_cut = False
            case ["count"]:
                print(", ".join(f"{what} {count}" for what, count in self.counts.items()))
            case _:
                sys.exit(f"wire: what is {line!r}?")
        print("done", flush=True)

    def run(self):
        poll = select.poll()
        for fd in (*self.other, 0):
            poll.register(fd, select.POLLIN)
        orders = b""
        while True:
            timeout = None
            if self.flying:
                timeout = max(0, self.flying[0][0] - time.monotonic()) * 1000
            for fd, _ in poll.poll(timeout):
                if fd == 0:
                    read = os.read(0, 4096)
                    if not read:
                        return
                    *lines, orders = (orders + read).split(b"\n")
                    for line in lines:
                        self.obey(line.decode())
                    continue
                now = time.monotonic()
                for _ in range(64):
                    try:
                        self.take(fd, os.read(fd, 65536), now)
                    except BlockingIOError:
                        break
            self.deliver(time.monotonic())


def main():
    if len(sys.argv) not in (3, 4) or "--help" in sys.argv:
        sys.exit(__doc__.strip())
    seed = int(sys.argv[3]) if len(sys.argv) == 4 else 1
    ends = [plug(pid, f"10.99.0.{i}") for i, pid in enumerate(sys.argv[1:3], 1)]
    print("up", flush=True)
    Wire(ends, seed).run()


main()
