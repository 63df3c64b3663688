#!/usr/bin/python3
"""Mode `route`: servers that hold the VIP are reached by their MAC and answer past the balancer."""
from case import Case, tap
from direct import PORT, hold_vips, wire_direct
from services import pool
from world import CLIENTS, CLIENTS6, HTTP, SERVERS, VIP, VIP6, number

ONE_ARM, ONE_ARM6 = "10.0.0.50", "2001:db8:2::50"  # in the servers' own network


def configuration():
    services, pools = [], []
    for family, vips in ((0, (VIP, ONE_ARM)), (1, (VIP6, ONE_ARM6))):
        for kind, port, protocol in (("http", HTTP, "tcp"), ("echo", PORT, "tcp"),
                                     ("udp", PORT, "udp")):
            name = f"{kind}{(4, 6)[family]}"
            pools.append(pool(name, port, family, protocol))
            services += [f'- {{ name: {name}-{n}, address: "{vip}", port: {port}, '
                         f"protocol: {protocol}, mode: route, pool: {name} }}"
                         for n, vip in enumerate(vips)]
    return "\n".join(["services:", *services, "pools:", *pools, ""])


class Route(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wire_direct(cls.world)
        for server in cls.world.servers.values():
            hold_vips(server, ONE_ARM, ONE_ARM6)

    def counters(self, name):
        return next(one for one in self.world.statistics()["services"]
                    if one["name"] == name)["counters"]

    def talk(self, role, vip, sources):
        """Flows to one VIP: spread over all servers, clients seen as they are, nothing comes back."""
        report = self.fine(self.world.traffic(role, vip, PORT, "--interval", 0.1, "--flows", 48,
                                              "--seconds", 1.5, sources=sources))
        self.assertGreater(report["answers"], 48 * 2)
        chosen = [seen.split()[0] for seen in report["seen"].values()]
        for server in SERVERS:
            self.assertAlmostEqual(16, chosen.count(server), delta=4)
        self.assertEqual(set(sources), {seen.split()[1] for seen in report["seen"].values()})

    def test_servers_see_clients_and_answer_past_us(self):
        for vip, sources, family in ((VIP, CLIENTS[:48], 4), (VIP6, CLIENTS6[:48], 6)):
            for role, kind in (("hold", "echo"), ("ask", "udp")):
                self.talk(role, vip, sources)
                seen = self.counters(f"{kind}{family}-0")
                self.assertGreater(number(seen, "packets_to_server"), 96, seen)
                self.assertEqual(0, number(seen, "packets_to_client"), seen)
        workers = self.world.statistics()["workers"]
        self.assertGreater(sum(number(one, "handed_over") for one in workers), 0)

    def test_one_arm(self):
        for vip, source in ((ONE_ARM, "10.0.0.200"), (ONE_ARM6, "2001:db8:2::200")):
            for role in ("hold", "ask"):
                self.talk(role, vip, [source])

    def test_pages_come_whole(self):
        for vip in (VIP, f"[{VIP6}]", ONE_ARM, f"[{ONE_ARM6}]"):
            names = {self.world.client.run("curl", "-sgf", "--max-time", 5, f"http://{vip}/").strip()
                     for _ in range(9)}
            self.assertEqual(set(SERVERS), names)
            size = self.world.client.run("curl", "-sgf", "--max-time", 10, "-o", "/dev/null", "-w",
                                         "%{size_download}", f"http://{vip}/large")
            self.assertEqual(4 << 18, int(size))


if __name__ == "__main__":
    tap.main()
