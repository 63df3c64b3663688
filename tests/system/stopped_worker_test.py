#!/usr/bin/python3
"""One worker's thread stands still: memory that it may read is not reused, and it is named."""
import ctypes
import os
import pathlib
import time

from api import Api, Changes
from case import Case, tap
from namespaces import wait_until
from world import ECHO, HTTP, SERVERS, VIP

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
_LIBC = ctypes.CDLL(None, use_errno=True)
_WALL = 0x40000000


def ptrace(request, thread):
    if _LIBC.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request} of {thread}")


class Stopped:
    """Holds one thread of a process still; SIGSTOP would stop them all."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        ptrace(PTRACE_SEIZE, self.thread)
        ptrace(PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, _WALL)

    def __exit__(self, *_):
        ptrace(PTRACE_DETACH, self.thread)


def thread_of(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    names = [(task / "comm").read_text().strip()
             for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    raise LookupError(f"no thread {name} among {names}")


class StoppedWorker(Case):
    workers = 2

    def test_reuse_waits_and_the_laggard_is_named(self):
        world, api = self.world, Api(self.world)
        changes = Changes(api, "http4", (SERVERS["web1"][0], HTTP))
        for _ in range(20):
            changes.one()
        before = api.our_region()
        with Stopped(thread_of(world.dataplane.pid, "worker-1")):
            for _ in range(100):
                changes.one()
            region = wait_until("worker 1 is named", lambda: api.our_region().laggard
                                and api.our_region(), 5)
            self.assertIn("worker 1", region.laggard)
            self.assertIn("worker 1", world.nezu("tables"))
            self.assertGreater(region.heap_retired_bytes, before.heap_retired_bytes)
        time.sleep(0.5)
        changes.one()
        wait_until("all is reused", lambda: not api.our_region().laggard and
                   api.our_region().heap_retired_bytes <= before.heap_retired_bytes + (1 << 20), 5)
        self.fine(world.traffic("hold", VIP, ECHO, "--seconds", 1))
        self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 1))


if __name__ == "__main__":
    tap.main()
