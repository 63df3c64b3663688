#!/usr/bin/python3
"""SYN cookies between the TCP of two kernels: downloads, windows, a restart, peers without
timestamps, servers that speak first, and a flood of forged SYNs beside all that."""
import hashlib
import os
import time

from case import Case, tap
from namespaces import wait_until
from services import SHIFT, configuration, pool, service
from world import ECHO, HTTP, IPERF, VIP, VIP6, number, wait_open

GREETING, PLAIN = 2525, 81  # a server that speaks first; a service that promises no timestamps
SIZE = 8 << 20


def guarded(text, **settings):
    options = ", ".join(f"{name}: {value}" for name, value in settings.items())
    return text + f"\n  syn_cookies: {{ {options} }}"


def everything():
    services, pools = [], []
    for family in (0, 1):
        for kind, port in (("http", HTTP), ("echo", ECHO), ("greeting", GREETING), ("iperf", IPERF)):
            name = f"{kind}{(4, 6)[family]}"
            servers = ["web1"] if kind in ("greeting", "iperf") else None
            pools.append(pool(name, port, family, "tcp", "rr", None, servers))
            services += [guarded(service(f"{name}-{mode}", name, port, family, "tcp", mode))
                         for mode in SHIFT]
    plain = service("plain", "http4", HTTP, 0).replace(f"port: {HTTP}", f"port: {PLAIN}")
    services.append(guarded(plain, timestamps="false"))
    return configuration(services, pools)


class Cookies(Case):
    workers = 2
    dataplane_options = ("--changed-flows", "4096")
    configuration = everything()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        cls.content = os.urandom(SIZE)
        (world.folder / "www").mkdir(exist_ok=True)
        (world.folder / "www").chmod(0o755)
        (world.folder / "www" / "large").write_bytes(cls.content)
        server = world.servers["web1"]
        server.start_iperf()
        for family, port in (("4", GREETING), ("6,ipv6only=1", GREETING)):
            world.process(f"greeting-{family[0]}", *server.namespace.command(
                "socat", f"TCP{family[0]}-LISTEN:{port},fork,reuseaddr"
                + (",ipv6only=1" if family[0] == "6" else ""), "SYSTEM:echo ready; cat"))
        wait_until("the greeting listens", lambda: server.listens(GREETING))

    def setUp(self):
        self.sysctl("net.ipv4.tcp_timestamps", 1)
        for server in self.world.servers.values():
            server.namespace.sysctl("net.ipv4.tcp_timestamps", 1)

    def sysctl(self, key, value):
        self.world.client.sysctl(key, value)

    def taken(self):
        return sum(number(worker, "syn_cookies_taken")
                   for worker in self.world.nezu_json("system")["workers"])

    def fetch(self, vip, port, *options):
        host = f"[{vip}]" if ":" in vip else vip
        done = self.world.client.run("curl", "-sS", "--max-time", 30, "-o",
                                     self.world.folder / "got", "-w", "%{http_code}", *options,
                                     f"http://{host}:{port}/large")
        self.assertEqual("200", done)
        got = (self.world.folder / "got").read_bytes()
        self.assertEqual(hashlib.sha256(self.content).digest(), hashlib.sha256(got).digest())

    def everywhere(self):
        return [(vip, shift) for vip in (VIP, VIP6) for shift in SHIFT.values()]

    def test_1_downloads_are_whole(self):
        before = self.taken()
        for vip, shift in self.everywhere():
            self.fetch(vip, HTTP + shift)
        self.assertEqual(before + len(self.everywhere()), self.taken())

    def test_2_both_ways_at_speed(self):
        for vip, shift in self.everywhere():
            for way in ([], ["-R"]):
                self.world.client.run("iperf3", "-c", vip, "-p", IPERF + shift, "-n", "20M", *way,
                                      timeout=60)

    def test_3_servers_may_speak_first(self):
        for vip, shift in self.everywhere():
            kind = "TCP6" if ":" in vip else "TCP4"
            host = f"[{vip}]" if ":" in vip else vip
            said = self.world.client.run("timeout", 10, "socat", "-T", 5, "-",
                                         f"{kind}:{host}:{GREETING + shift}", text="thanks\n")
            self.assertEqual("ready\nthanks\n", said)

    def test_4_clients_of_other_kinds(self):
        for timestamps, scale, sack in ((0, 1, 1), (1, 0, 0), (0, 0, 0)):
            self.sysctl("net.ipv4.tcp_timestamps", timestamps)
            self.sysctl("net.ipv4.tcp_window_scaling", scale)
            self.sysctl("net.ipv4.tcp_sack", sack)
            try:
                for vip, shift in self.everywhere():
                    self.fetch(vip, HTTP + shift)
            finally:
                self.sysctl("net.ipv4.tcp_window_scaling", 1)
                self.sysctl("net.ipv4.tcp_sack", 1)

    def test_5_servers_without_timestamps(self):
        for server in self.world.servers.values():
            server.namespace.sysctl("net.ipv4.tcp_timestamps", 0)
        refused = self.world.client.run("sh", "-c",
                                        f"curl -sS --max-time 5 http://{VIP}:{HTTP}/; echo $?")
        self.assertEqual("56", refused.split()[-1], refused)  # reset, at once
        self.assertEqual(1, self.world.drops()["cookie_no_timestamps"])
        self.fetch(VIP, PLAIN)

    def test_6_servers_without_scales(self):
        for server in self.world.servers.values():
            server.namespace.sysctl("net.ipv4.tcp_window_scaling", 0)
        try:
            for vip, shift in self.everywhere():
                self.fetch(vip, HTTP + shift)
        finally:
            for server in self.world.servers.values():
                server.namespace.sysctl("net.ipv4.tcp_window_scaling", 1)

    def test_7_connections_outlive_a_restart(self):
        world = self.world
        holds = [world.traffic("hold", vip, ECHO + shift, "--interval", 0.2, "--patience", 40)
                 for vip, shift in self.everywhere()]
        wait_open(*holds)
        world.dataplane.kill()
        time.sleep(0.3)
        world.start_dataplane()
        time.sleep(2)
        for client in holds:
            self.assertEqual(64, len(self.stop(client)["seen"]))

    def test_8_a_flood_takes_nothing_and_hurts_nobody(self):
        world = self.world
        holds = [world.traffic("hold", VIP, ECHO + shift, "--interval", 0.2, "--patience", 20)
                 for shift in SHIFT.values()]
        wait_open(*holds)
        before = world.drops().get("cookie_sent", 0)
        # Bounded by number and by time; the answers go to addresses that nobody has.
        flood = world.process("flood", *world.client.command(
            "timeout", 20, "hping3", "-q", "-S", "-p", HTTP, "-i", "u20", "-c", 100000,
            "--rand-source", VIP))
        fetched = 0
        while flood.alive():
            self.fetch(VIP, HTTP)
            self.fetch(VIP, HTTP + SHIFT["fullnat"])
            fetched += 2
        forged = world.drops()["cookie_sent"] - before - fetched
        self.assertGreater(forged, 10000)
        self.assertGreater(fetched, 2)
        workers = world.statistics()["workers"]
        self.assertLess(sum(number(worker, "flows_embryonic") for worker in workers), 10)
        for client in holds:
            self.assertEqual(64, len(self.stop(client)["seen"]))
        print(f"# {forged} forged SYNs beside {fetched} downloads of {SIZE >> 20} MiB")


if __name__ == "__main__":
    tap.main()
