#!/usr/bin/python3
"""Modes `tunnel_*`: servers take the packets out, hold the VIPs and answer past the balancer."""
import json

from case import Case, tap
from direct import PORT, hold_vips, take_out_of_tunnels, wire_direct
from services import pool
from world import CLIENTS, CLIENTS6, HTTP, SERVERS, number

GUE_PORT = 6081
# By tunnel and whether the servers' family is the clients' own: one VIP of each.
VIPS = {(tunnel, across): (f"192.0.2.{10 + n}", f"2001:db8:1::{10 + n}")
        for n, (tunnel, across) in enumerate((tunnel, across) for across in (0, 1)
                                             for tunnel in ("ipip", "gre", "gue"))}
LEFT = {"ipip": (1480, 1460), "gre": (1476, 1456), "gue": (1468, 1448)}  # of 1,500, by outer family
# One long line there and back: more than a window of full segments to the server.
LONG_LINE = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as tcp:
    tcp.sendall(b"x" * 60000 + b"\\n")
    with tcp.makefile() as answers:
        words = answers.readline().split()
print(len(words[3]))
"""


def configuration():
    services, pools = [], []
    for family in (0, 1):
        for kind, port, protocol in (("http", HTTP, "tcp"), ("echo", PORT, "tcp"),
                                     ("udp", PORT, "udp")):
            name = f"{kind}{(4, 6)[family]}"
            pools.append(pool(name, port, family, protocol))
            for (tunnel, across), vips in VIPS.items():
                gue = f", gue_port: {GUE_PORT}" if tunnel == "gue" else ""
                services.append(f'- {{ name: {name}-{tunnel}-{across}, port: {port}, '
                                f'address: "{vips[family ^ across]}", protocol: {protocol}, '
                                f"mode: tunnel_{tunnel}, pool: {name}{gue} }}")
    return "\n".join(["services:", *services, "pools:", *pools, ""])


class Tunnel(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wire_direct(cls.world)
        cls.decapsulators = [cls.decapsulate(server) for server in cls.world.servers.values()]

    @classmethod
    def decapsulate(cls, server):
        hold_vips(server, *(vip for vips in VIPS.values() for vip in vips))
        return take_out_of_tunnels(server, GUE_PORT)

    def drops(self, reason):
        return sum(number(drop, "packets") for drop in self.world.statistics()["drops"]
                   if drop["reason"] == reason)

    def test_flows_reach_all_servers_by_every_tunnel(self):
        for role in ("hold", "ask"):
            running = [(sources, self.world.traffic(role, vip, PORT, "--interval", 0.2, "--flows",
                                                    24, "--seconds", 2, sources=sources))
                       for vips in VIPS.values()
                       for vip, sources in zip(vips, (CLIENTS[:24], CLIENTS6[:24]))]
            for sources, client in running:
                report = self.fine(client)
                chosen = [seen.split()[0] for seen in report["seen"].values()]
                for server in SERVERS:
                    self.assertAlmostEqual(8, chosen.count(server), delta=4)
                self.assertEqual(set(sources),
                                 {seen.split()[1] for seen in report["seen"].values()})
        workers = self.world.statistics()["workers"]
        self.assertGreater(sum(number(one, "handed_over") for one in workers), 0)

    def test_pages_come_whole(self):
        for vips in VIPS.values():
            for vip in (vips[0], f"[{vips[1]}]"):
                size = self.world.client.run("curl", "-sgf", "--max-time", 10, "-o", "/dev/null",
                                             "-w", "%{size_download}", f"http://{vip}/large")
                self.assertEqual(4 << 18, int(size))

    def test_zz_full_segments_learn_what_the_tunnel_leaves(self):
        for (tunnel, across), vips in VIPS.items():
            for family, vip in enumerate(vips):
                before = self.drops("too_big")
                length = self.world.client.run("/usr/bin/python3", "-c", LONG_LINE, vip, PORT)
                self.assertEqual(60000, int(length))
                self.assertGreater(self.drops("too_big"), before, f"{tunnel} to {vip}")
                shown = self.world.client.run("ip", "route", "get", vip)
                self.assertIn(f"mtu {LEFT[tunnel][family ^ across]}", shown)
        seen = []
        for process in self.decapsulators:
            self.assertEqual(0, process.stop(), process.tail())
            seen.append(json.loads(process.log.read_text().splitlines()[-1]))
        # Nothing that fits was cut: 1,500 without the shortest of the outer headers.
        self.assertEqual(1480, max(counts["largest"] for counts in seen))
        for tunnel in LEFT:
            self.assertGreater(min(counts[tunnel] for counts in seen), 100, seen)


if __name__ == "__main__":
    tap.main()
