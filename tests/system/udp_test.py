#!/usr/bin/python3
"""Datagrams through a VIP: every one is answered, by the same server for the life of its flow."""
from case import Case, tap
from services import SHIFT
from world import ECHO, SERVERS, VIP, VIP6


class OneWorker(Case):
    def echo(self, vip, mode):
        report = self.fine(self.world.traffic("ask", vip, ECHO + SHIFT[mode], "--interval", 0.1,
                                              "--flows", 96, "--seconds", 3))
        self.assertGreater(report["answers"], 96 * 2)
        chosen = [seen.split()[0] for seen in report["seen"].values()]
        for name in SERVERS:
            self.assertAlmostEqual(32, chosen.count(name), delta=4)

    def test_nat_ipv4(self):
        self.echo(VIP, "nat")

    def test_nat_ipv6(self):
        self.echo(VIP6, "nat")

    def test_fullnat_ipv4(self):
        self.echo(VIP, "fullnat")

    def test_fullnat_ipv6(self):
        self.echo(VIP6, "fullnat")


class TwoWorkers(OneWorker):
    workers = 2


if __name__ == "__main__":
    tap.main()
