#!/usr/bin/python3
"""Neighbours that expire within seconds: the kernel sees none of our traffic and would forget them.

Three minutes; as long as wanted under `./run soak` (NEZU_SOAK_SECONDS).
"""
import os
import time

from case import Case, tap
from services import SHIFT, everything
from world import HTTP, VIP, VIP6

SECONDS = float(os.environ.get("NEZU_SOAK_SECONDS", 180))
# Without its neighbour each connection would wait for an answer to a question, or, lost, for a second.
# A machine that stands still for a moment makes a few slow, too.
GAP = 0.5
FEW = 1 / 1000


def tcp_counter(namespace, name):
    """Of the kernel's TCP in that namespace, as `nstat` has it."""
    names, values = (line.split() for line in namespace.run(
        "cat", "/proc/net/netstat").splitlines() if line.startswith("TcpExt:"))
    return int(values[names.index(name)])


class Neighbours(Case):
    workers = 2
    # A machine that stands still for a second would fail all servers at once: another test's matter.
    configuration = everything().replace("fall: 2", "fall: 10")

    def test_traffic_flows_without_a_gap(self):
        world = self.world
        for family in ("ipv4", "ipv6"):
            for device in ("nz-front", "nz-back"):
                for key, value in (("base_reachable_time_ms", 1000), ("gc_stale_time", 1),
                                   ("delay_first_probe_time", 1), ("retrans_time_ms", 500)):
                    world.lb.sysctl(f"net.{family}.neigh.{device}.{key}", value)
            for key, value in (("gc_thresh1", 0), ("gc_interval", 1)):
                world.lb.run("sysctl", "-q", "-w", f"net.{family}.neigh.default.{key}={value}",
                             check=False)
        retransmitted = tcp_counter(world.client, "TCPSynRetrans")
        clients = []
        for vip in (VIP, VIP6):
            for mode in SHIFT:
                name = f"gap-{len(clients)}"
                clients.append(world.traffic(
                    "fetch", vip, HTTP + SHIFT[mode], "--rate", 20, "--record",
                    world.folder / f"{name}.record", name=name))
        time.sleep(SECONDS)
        times = []
        for client in clients:
            self.stop(client)
            lines = (world.folder / f"{client.name}.record").read_text().splitlines()
            times += [float(ended) - float(began)
                      for began, ended, *_ in (line.split(" ") for line in lines)]
        self.assertGreater(len(times), SECONDS * 20)
        slow = sorted(took for took in times if took > GAP)
        self.assertLess(len(slow), FEW * len(times), slow)
        self.assertEqual({}, {reason: packets for reason, packets in world.drops().items()
                              if reason.startswith("neighbour")})
        # Servers keep the SNAT ports of closed connections for a minute: a SYN of another client from
        # such a port would be refused at first.
        self.assertLess(tcp_counter(world.client, "TCPSynRetrans") - retransmitted,
                        FEW * len(times), "SYNs were sent twice")


if __name__ == "__main__":
    tap.main()
