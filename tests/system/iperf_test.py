#!/usr/bin/python3
"""Bulk transfers by iperf3, both directions, TCP and UDP; not a measurement, only that they flow."""
import json

from case import Case, tap
from services import SHIFT
from world import IPERF, VIP, VIP6


class Bulk(Case):
    workers = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.servers["web1"].start_iperf()

    def transfer(self, vip, mode, *options):
        output = self.world.client.run(
            "iperf3", "-c", vip, "-p", IPERF + SHIFT[mode], "-t", 2, "-J", "--connect-timeout",
            3000, *options, check=False, timeout=30)
        report = json.loads(output.stdout)
        self.assertNotIn("error", report)
        return report["end"]

    def tcp(self, *words):
        self.assertGreater(self.transfer(*words)["sum_received"]["bits_per_second"], 10e6)

    def udp(self, *words):
        total = self.transfer(*words, "-u", "-b", "10M", "-l", "1200")["sum"]
        self.assertGreater(total["packets"], 1000)
        self.assertLess(total["lost_percent"], 1)

    def test_tcp_nat_ipv4(self):
        self.tcp(VIP, "nat")
        self.tcp(VIP, "nat", "-R")

    def test_tcp_nat_ipv6(self):
        self.tcp(VIP6, "nat")
        self.tcp(VIP6, "nat", "-R")

    def test_tcp_fullnat_ipv4(self):
        self.tcp(VIP, "fullnat")
        self.tcp(VIP, "fullnat", "-R")

    def test_tcp_fullnat_ipv6(self):
        self.tcp(VIP6, "fullnat")
        self.tcp(VIP6, "fullnat", "-R")

    def test_several_streams_at_once(self):
        self.tcp(VIP, "nat", "-P", "4", "--bidir")

    def test_udp_both_directions(self):
        for vip in (VIP, VIP6):
            self.udp(vip, "nat")
            self.udp(vip, "fullnat", "-R")


if __name__ == "__main__":
    tap.main()
