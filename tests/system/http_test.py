#!/usr/bin/python3
"""Pages through a VIP: both families, nat and fullnat, one worker and two."""
import hashlib

from case import Case, tap
from services import SHIFT
from world import CLIENTS, CLIENTS6, ECHO, HTTP, SERVERS, VIP, VIP6, number


class OneWorker(Case):
    def fetch(self, vip, mode):
        """Requests for three seconds: none fails, each server answers a third."""
        report = self.fine(self.world.traffic("fetch", vip, HTTP + SHIFT[mode], "--rate", 150,
                                              "--seconds", 3))
        self.assertGreater(report["answers"], 100)
        for name in SERVERS:
            self.assertAlmostEqual(report["answers"] / 3, report["servers"].get(name, 0),
                                   delta=report["answers"] * 0.05 + 2)

    def large(self, vip, mode):
        """A mebibyte arrives unharmed."""
        host = f"[{vip}]" if ":" in vip else vip
        file = self.world.folder / "downloaded"
        self.world.client.run("curl", "-sgf", "--max-time", 20, "-o", file,
                              f"http://{host}:{HTTP + SHIFT[mode]}/large")
        self.assertEqual(hashlib.sha256(b"nezu" * (1 << 18)).digest(),
                         hashlib.sha256(file.read_bytes()).digest())

    def sources(self, vip, mode):
        """The addresses that servers see."""
        report = self.fine(self.world.traffic("hold", vip, ECHO + SHIFT[mode], "--seconds", 1))
        self.assertEqual(64, len(report["seen"]))
        return {seen.split()[1] for seen in report["seen"].values()}

    def test_nat_ipv4(self):
        self.fetch(VIP, "nat")
        self.large(VIP, "nat")
        self.assertEqual(set(CLIENTS), self.sources(VIP, "nat"))

    def test_nat_ipv6(self):
        self.fetch(VIP6, "nat")
        self.large(VIP6, "nat")
        self.assertEqual(set(CLIENTS6), self.sources(VIP6, "nat"))

    def test_fullnat_ipv4(self):
        self.fetch(VIP, "fullnat")
        self.large(VIP, "fullnat")
        self.assertLessEqual(self.sources(VIP, "fullnat"),
                             {f"10.0.0.{number}" for number in range(100, 104)})

    def test_fullnat_ipv6(self):
        self.fetch(VIP6, "fullnat")
        self.large(VIP6, "fullnat")
        self.assertLessEqual(self.sources(VIP6, "fullnat"),
                             {f"2001:db8:2::{number}" for number in range(100, 104)})

    def test_a_vip_answers_ping(self):
        self.world.client.run("ping", "-c3", "-i0.2", "-W2", VIP)
        self.world.client.run("ping", "-6", "-c3", "-i0.2", "-W2", VIP6)

    def test_a_port_without_service_is_refused(self):
        """At once, not by silence."""
        done = self.world.client.run("curl", "-s", "--max-time", "3", f"http://{VIP}:81/",
                                     check=False)
        self.assertEqual(7, done.returncode, "curl's status for a refused connection")

    def test_wrk_keeps_connections_busy(self):
        report = self.world.client.run("wrk", "-t1", "-c32", "-d3s", f"http://{VIP}/", timeout=30)
        self.assertNotIn("Socket errors", report)
        self.assertNotIn("Non-2xx", report)
        self.assertIn("Requests/sec", report)


class TwoWorkers(OneWorker):
    workers = 2

    def handed_over(self, service):
        """(packets handed from worker to worker, packets of the service) so far."""
        statistics = self.world.statistics()
        self.assertEqual(2, len(statistics["workers"]))
        for worker in statistics["workers"]:
            self.assertGreater(worker["longest_turn_us"], 0, worker)
        self.assertIn("longest turn", self.world.nezu("stats", "workers"))
        counters = [one["counters"] for one in statistics["services"] if one["name"] == service]
        return (sum(number(worker, "handed_over") for worker in statistics["workers"]),
                number(counters[0], "packets_to_server") + number(counters[0], "packets_to_client"))

    def test_at_least_half_of_the_packets_change_hands(self):
        """Only flows whose owner is not the worker that receives from clients."""
        world = self.world
        flows = ["--first-port", 40000, "--interval", 0.05, "--seconds"]
        ask = world.traffic("ask", VIP, ECHO, *flows, 1)
        self.fine(ask)
        strangers = [number(flow, "client_port") - 40000 for flow in world.flows("udp4-nat")
                     if number(flow, "client_port") >= 40000 and number(flow, "worker") == 1]
        self.assertGreater(len(strangers), 10, "of 64 flows about half belong to worker 1")
        before = self.handed_over("udp4-nat")
        self.fine(world.traffic("ask", VIP, ECHO, "--only", ",".join(map(str, strangers)),
                                *flows, 3))
        handed, packets = (after - then for after, then
                           in zip(self.handed_over("udp4-nat"), before))
        self.assertGreater(packets, 200)
        self.assertGreaterEqual(handed, packets / 2)


if __name__ == "__main__":
    tap.main()
