#!/usr/bin/python3
"""Servers that are themselves clients of a VIP, in their own subnet."""
from case import Case, tap
from services import SHIFT, configuration, pool, service
from world import HTTP, SERVERS, VIP, VIP6

BARE = 1000  # the ports without an SNAT set


def hairpins():
    """By fullnat, by nat with an SNAT set for neighbours, and by nat without one."""
    services, pools = [], []
    for family in (0, 1):
        name = f"http{(4, 6)[family]}"
        pools.append(pool(name, HTTP, family))
        services += [service(f"{name}-fullnat", name, HTTP, family, mode="fullnat"),
                     service(f"{name}-nat", name, HTTP, family) + "\n  snat_set: snat",
                     service(f"{name}-bare", name, HTTP + BARE, family)]
    return configuration(services, pools)


class Hairpin(Case):
    workers = 2
    configuration = hairpins()

    def fetch(self, server, vip, mode):
        host = f"[{vip}]" if ":" in vip else vip
        return server.namespace.run("curl", "-sgf", "--max-time", 5,
                                    f"http://{host}:{HTTP + SHIFT[mode]}/").strip()

    def test_every_server_reaches_every_server_itself_included(self):
        for vip in (VIP, VIP6):
            for mode in SHIFT:
                for server in self.world.servers.values():
                    answers = {self.fetch(server, vip, mode) for _ in range(9)}
                    self.assertEqual(set(SERVERS), answers, f"{server.name} asks {vip} by {mode}")

    def test_nat_without_snat_set_refuses_neighbours_at_once_and_says_why(self):
        server = next(iter(self.world.servers.values()))
        answer = server.namespace.run("curl", "-sgf", "--max-time", 5,
                                      f"http://{VIP}:{HTTP + BARE}/", check=False)
        self.assertEqual(7, answer.returncode, "curl: connection refused")
        reasons = self.world.drops()
        self.assertGreater(reasons.get("hairpin_refused", 0), 0, reasons)


if __name__ == "__main__":
    tap.main()
