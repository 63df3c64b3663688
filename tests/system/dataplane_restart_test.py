#!/usr/bin/python3
"""The data plane dies and comes back with no control plane running: established flows go on."""
import time

from case import Case, tap
from services import SHIFT, everything
from world import BACK, ECHO, FRONT, HTTP, VIP, VIP6, wait_open


class Restart(Case):
    """Clients come from 64 addresses, end at the first failure, and check with every answer that
    server and SNAT port are still the same."""

    def survive(self, scheduler, before, after):
        world = self.world
        self.start_over(before)
        world.apply(everything(scheduler))
        holds = [world.traffic("hold", vip, ECHO + SHIFT[mode], "--interval", 0.2, "--patience", 40)
                 for vip in (VIP, VIP6) for mode in SHIFT]
        asks = [world.traffic("ask", VIP, ECHO + SHIFT[mode], "--interval", 0.2, "--patience", 40)
                for mode in SHIFT]
        wait_open(*holds, *asks)
        # Another server set: a scheduler asked again would decide otherwise.
        world.apply(everything(scheduler, ["web1", "web3"]))
        time.sleep(0.5)
        world.controlplane.kill()
        world.dataplane.kill()
        time.sleep(0.3)
        twins = world.lb.run("ip", "-brief", "address")
        self.assertIn(f"{FRONT}/24", twins)
        self.assertIn(f"{BACK}/24", twins)
        world.start_dataplane(after)
        time.sleep(3)
        # Nobody but the last generation tells it where new flows go.
        report = self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 2))
        self.assertEqual({"web1", "web3"}, set(report["servers"]))
        for client in holds + asks:
            seen = self.stop(client)["seen"]
            self.assertEqual(64, len(seen))
            self.assertIn("web2", {one.split()[0] for one in seen.values()})

    def start_over(self, workers):
        world = self.world
        for process in (world.controlplane, world.dataplane):
            process.stop()
        world.start_controlplane()
        world.start_dataplane(workers)

    def test_rr_with_as_many_workers(self):
        self.survive("rr", 2, 2)

    def test_wlc_with_more_workers(self):
        self.survive("wlc", 1, 2)

    def test_wlc_with_fewer_workers(self):
        self.survive("wlc", 2, 1)


if __name__ == "__main__":
    tap.main()
