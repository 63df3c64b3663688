#!/usr/bin/python3
"""Servers that are clients of hosts outside: they fetch, ask and ping through source NAT while they
serve a VIP; transit for what is excepted from it; the NAT log."""
import re
import time

from case import Case, tap
from namespaces import wait_until
from services import SHIFT, configuration, pool, service
from world import (BACK, FRONT, FRONT6, HTTP, NGINX, PEERS, SERVERS, VIP, VIP6, number,
                   wait_open)

OUTSIDE = ("192.0.2.101", "2001:db8:1::1:1")
ROUTED = ("192.0.2.110", "2001:db8:1::1:a")  # sees servers by their own addresses
NAMED = ({"192.0.2.200", "192.0.2.201"}, {"2001:db8:1::200"})
REST = ({"192.0.2.202"}, {"2001:db8:1::202"})
ASK = 1053  # of the echo outside


def rules():
    """web1 and web2 by network and pool, whoever else comes by the back port by that."""
    services, pools = [], []
    for family in (0, 1):
        name = f"http{(4, 6)[family]}"
        pools.append(pool(name, HTTP, family))
        services += [service(f"{name}-{mode}", name, HTTP, family, mode=mode) for mode in SHIFT]
        pools.append(pool(f"inside{family}", HTTP, family, servers=["web2"]))
    sets = [f"- name: {name}\n  addresses: [{', '.join(chr(34) + one + chr(34) for one in addresses)}]"
            for name, addresses in (("named", sorted(NAMED[0] | NAMED[1])),
                                    ("rest", sorted(REST[0] | REST[1])))]
    excepted = ", ".join(f'"{one}"' for one in ROUTED)
    return configuration(services, pools) + "\n".join([
        *sets, "source_nats:",
        "- name: named", f'  networks: ["10.0.0.11", "{SERVERS["web1"][1]}"]',
        "  pools: [inside0, inside1]", "  snat_set: named", f"  except: [{excepted}]",
        "- name: rest", "  interfaces: [back]", "  outside_interfaces: [front]",
        "  snat_set: rest", f"  except: [{excepted}]",
        "settings: { transit: forward }", ""])


class Masquerade(Case):
    workers = 2
    configuration = rules()
    dataplane_options = ("--nat-log", "FOLDER/nat.log")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        world.client.ip("route", "add", "10.0.0.0/24", "via", FRONT)
        world.client.ip("-6", "route", "add", "2001:db8:2::/64", "via", FRONT6)
        file = world.folder / "outside.conf"
        file.write_text(NGINX.format(folder=world.folder, name="outside"))
        world.process("outside-nginx", *world.client.command(
            "nginx", "-c", file, "-e", world.folder / "outside-error.log"))
        # It answers from the very address that was asked.
        world.process("outside-echo", *world.client.command(
            *PEERS, "serve", "outside", ASK, "--at", ",".join(OUTSIDE + ROUTED)))
        for port in (HTTP, ASK):
            wait_until(f"port {port} outside listens", lambda one=port: world.client.run(
                "ss", "-Hltn", f"sport = :{one}").strip() != "")

    def from_server(self, name, role, host, *options):
        """A client of peers.py that runs on a server."""
        return self.world.process(f"{name}-{role}-{time.monotonic_ns()}",
                                  *self.world.servers[name].namespace.command(
                                      *PEERS, role, host, ASK, *options))

    def sources(self, report):
        return {seen.split()[1] for seen in report["seen"].values()}

    def expected(self, name, family):
        return REST[family] if name == "web3" else NAMED[family]

    def test_servers_fetch_pages_outside_while_they_serve_a_vip(self):
        world = self.world
        serving = [world.traffic("fetch", vip, HTTP + SHIFT[mode], "--rate", 30)
                   for vip in (VIP, VIP6) for mode in SHIFT]
        log = world.folder / "outside-access.log"
        for family, host in enumerate(OUTSIDE):
            url = f"http://[{host}]" if family else f"http://{host}"
            for name, server in world.servers.items():
                before = len(log.read_text().splitlines())
                for _ in range(5):
                    self.assertEqual("outside", server.namespace.run(
                        "curl", "-sgf", "--max-time", 5, f"{url}/").strip())
                length = server.namespace.run(
                    "curl", "-sgf", "--max-time", 10, "-o", "/dev/null", "-w", "%{size_download}",
                    f"{url}/large")
                self.assertEqual(4 << 18, int(length))
                seen = {line.split()[0] for line in log.read_text().splitlines()[before:]}
                self.assertLessEqual(seen, self.expected(name, family), name)
                self.assertEqual(1, len(seen), "one host keeps to one address")
        for client in serving:
            self.assertEqual(set(SERVERS), set(self.stop(client)["servers"]))

    def test_datagrams_and_connections_keep_their_ports(self):
        """Also when both programs are killed meanwhile."""
        world = self.world
        asking = [(name, family, self.from_server(name, role, host, "--flows", 40, "--interval",
                                                  0.2, "--patience", 8))
                  for role in ("ask", "hold") for family, host in enumerate(OUTSIDE)
                  for name in ("web1", "web3")]
        wait_open(*(client for _, _, client in asking))
        listed = world.nezu_json("flows", "--source-nat", "named", "--limit", 1000)["flows"]
        self.assertGreaterEqual(len(listed), 160)
        for flow in listed:
            self.assertEqual("named", flow["source_nat"])
            self.assertIn(flow["snat"], NAMED[0] | NAMED[1])
            self.assertIn(flow["client"], SERVERS["web1"])
        world.controlplane.kill()
        world.dataplane.kill()
        world.start_dataplane()
        world.start_controlplane()
        time.sleep(1)
        for name, family, client in asking:
            report = self.stop(client)
            self.assertEqual(40, len(report["seen"]))
            self.assertLessEqual(self.sources(report), self.expected(name, family))
        kept = (world.folder / "nat.log").read_text().count(" kept ")
        self.assertGreaterEqual(kept, 320)

    def test_ping_trace_and_long_pings(self):
        for family, host in enumerate(OUTSIDE):
            for name in ("web2", "web3"):
                space = self.world.servers[name].namespace
                self.assertIn(" 0% packet loss", space.run(
                    "ping", "-c", 5, "-i", 0.1, "-W", 2, host))
                # In pieces; af_packet would put those of IPv4 together.
                if family:
                    self.assertIn(" 0% packet loss", space.run(
                        "ping", "-c", 3, "-i", 0.1, "-W", 2, "-s", 3000, host))
        told = self.world.servers["web2"].namespace.run("ping", "-c", 1, "-W", 2, "-t", 1,
                                                        OUTSIDE[0], check=False).stdout
        self.assertRegex(told, rf"From {BACK} .*Time to live exceeded")

    def test_excepted_hosts_are_routed_both_ways(self):
        world = self.world
        for family, host in enumerate(ROUTED):
            inside = SERVERS["web1"][family]
            report = self.fine(self.from_server("web1", "ask", host, "--flows", 8, "--seconds", 1))
            self.assertEqual({inside}, self.sources(report))
            url = f"http://[{inside}]/" if family else f"http://{inside}/"
            self.assertEqual("web1", world.client.run(
                "curl", "-sgf", "--max-time", 5, "--interface", host, url).strip())
            self.assertIn(" 0% packet loss", world.client.run(
                "ping", "-c", 3, "-i", 0.1, "-W", 2, "-I", host, inside))
            # A port that nobody listens on: the error comes back by the same way.
            refused = world.client.run("/usr/bin/python3", "-c", (
                "import socket, sys\n"
                f"s = socket.socket(socket.AF_INET{6 if family else ''}, socket.SOCK_DGRAM)\n"
                f"s.bind(('{host}', 0)); s.connect(('{inside}', 9)); s.settimeout(3)\n"
                "s.send(b'x')\n"
                "try: s.recv(9)\n"
                "except ConnectionRefusedError: print('refused')\n"))
            self.assertEqual("refused", refused.strip())
        passed = sum(number(worker, "transit") for worker in world.statistics()["workers"])
        self.assertGreater(passed, 60)

    def test_a_vip_is_no_way_out(self):
        """A server that asks a VIP is served, by an address of that service."""
        for vip in (VIP, f"[{VIP6}]"):
            answers = {self.world.servers["web1"].namespace.run(
                "curl", "-sgf", "--max-time", 5,
                f"http://{vip}:{HTTP + SHIFT['fullnat']}/").strip() for _ in range(6)}
            self.assertEqual(set(SERVERS), answers)

    def test_the_log_says_who_had_which_port(self):
        world = self.world
        inside = SERVERS["web2"][0]
        space = world.servers["web2"].namespace
        space.run("curl", "-sf", "--max-time", 5, "--local-port", 43210, f"http://{OUTSIDE[0]}/")
        pattern = re.compile(
            r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (open|close) tcp "
            rf"{re.escape(inside)}:43210 (192\.0\.2\.20[01]:\d+) {re.escape(OUTSIDE[0])}:80$", re.M)
        # Both FINs are acknowledged: the flow goes after ten seconds, or when somebody ends it.
        log = world.folder / "nat.log"
        opened = wait_until("the flow is in the log", lambda: pattern.findall(log.read_text()))
        self.assertEqual("open", opened[0][0])
        world.nezu("flows", "end", "--source-nat", "named", "--snat", opened[0][1])
        closed = wait_until("its end is in the log",
                            lambda: [one for one in pattern.findall(log.read_text())
                                     if one[0] == "close"])
        self.assertEqual(opened[0][1], closed[0][1])
        counted = world.statistics()["nat_log"]
        self.assertGreater(number(counted, "written"), 0)
        self.assertEqual(0, number(counted, "lost"))

    def test_rules_are_listed_counted_and_refused_like_everything_else(self):
        world = self.world
        self.assertIn("10.0.0.11/32, ", world.nezu("source-nat", "list"))
        counters = {one["name"]: one["counters"] for one in world.statistics()["source_nats"]}
        self.assertEqual({"named", "rest"}, set(counters))
        refused = world.nezu("source-nat", "create", "bad", "networks=10.0.0.0/99", check=False)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("This is no network", refused.stdout + refused.stderr)
        refused = world.nezu("pool", "delete", "inside0", check=False)
        self.assertIn("source NAT rule named", refused.stdout + refused.stderr)


if __name__ == "__main__":
    tap.main()
