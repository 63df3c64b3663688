#!/usr/bin/python3
"""SCTP, GRE and services of many ports and addresses, with peers in user space (raw_peers.py)."""
import json

from case import Case, tap
from world import CLIENTS, ECHO, HERE, SERVERS, VIP

RAW = ["/usr/bin/python3", str(HERE / "raw_peers.py")]
SCTP_PORT, SERVER_PORT = 2905, 3905
FULL, PREFIX = "192.0.2.11", "198.51.100.0/24"
GRE = 47


def servers(port=None):
    extra = "" if port is None else f", port: {port}"
    return "\n".join(f'  - {{ address: "{four}"{extra} }}' for four, _ in SERVERS.values())


CONFIGURATION = f"""
services:
- {{ name: sctp, address: {VIP}, port: {SCTP_PORT}, protocol: sctp, pool: sctp }}
- {{ name: sctp-full, address: {FULL}, port: {SCTP_PORT}, protocol: sctp, mode: fullnat,
     pool: sctp, snat_set: snat }}
- {{ name: gre, address: {VIP}, protocol: gre, pool: gre }}
- {{ name: gre-full, address: {FULL}, protocol: gre, mode: fullnat, pool: gre, snat_set: snat }}
- {{ name: many, address: {PREFIX}, port: 1, last_port: 1023, pool: many }}
- {{ name: many-udp, address: {PREFIX}, port: 1, last_port: 65535, protocol: udp, pool: many-udp }}
pools:
- name: sctp
  protocol: sctp
  scheduler: rr
  check: {{ icmp: {{}}, interval_ms: 300, timeout_ms: 300 }}
  servers:
{servers(SERVER_PORT)}
- name: gre
  protocol: gre
  scheduler: rr
  servers:
{servers()}
- name: many
  scheduler: rr
  servers:
{servers()}
- name: many-udp
  protocol: udp
  scheduler: rr
  servers:
{servers()}
snat_sets:
- {{ name: snat, addresses: ["10.0.0.100-10.0.0.105"] }}
"""


class Protocols(Case):
    workers = 2
    configuration = CONFIGURATION

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, server in cls.world.servers.items():
            cls.world.process(f"{name}-sctp", *server.namespace.command(
                *RAW, "sctp-serve", name, SERVER_PORT))
            cls.world.process(f"{name}-gre", *server.namespace.command(
                *RAW, "echo-serve", name, GRE))
        # A prefix is not answered for: the network routes it to the balancer.
        cls.world.client.ip("route", "add", PREFIX, "via", "192.0.2.1")

    def ask(self, *words):
        report = json.loads(self.world.client.run(*RAW, *words, check=False).stdout)
        self.assertEqual([], report["failures"], self.explain())
        return report["seen"]

    def test_sctp_associations_by_nat_and_fullnat(self):
        for vip in (VIP, FULL):
            seen = self.ask("sctp-ask", vip, SCTP_PORT, 9)
            self.assertEqual(set(SERVERS), {one[0] for one in seen})
            for _, client, port in seen:
                self.assertEqual(vip == FULL, client.startswith("10.0.0."), client)
                if vip == VIP:
                    self.assertIn(port, range(40000, 40009))
        flows = self.world.flows("sctp")
        self.assertEqual(9, len(flows))
        self.assertEqual({"sctp"}, {one["protocol"] for one in flows})
        self.assertEqual({"time_wait"}, {one["state"] for one in flows}, flows)

    def test_gre_by_address_alone(self):
        for vip, sources in ((VIP, CLIENTS[:9]), (FULL, CLIENTS[9:12])):
            seen = self.ask("echo-ask", vip, GRE, ",".join(sources))
            self.assertEqual(set(SERVERS), {one[0] for one in seen})
            self.assertEqual(vip == VIP, seen[0][1] == sources[0], seen)
        self.assertEqual({"gre"}, {one["protocol"] for one in self.world.flows("gre")})

    def test_every_address_and_port_of_a_prefix(self):
        for vip, port in (("198.51.100.1", ECHO), ("198.51.100.254", ECHO)):
            report = self.fine(self.world.traffic("hold", vip, port, "--interval", 0.1, "--flows", 6,
                                                  "--seconds", 1))
            self.assertEqual(set(SERVERS), set(report["servers"]))
            report = self.fine(self.world.traffic("ask", vip, port, "--interval", 0.1, "--flows", 6,
                                                  "--seconds", 1))
            self.assertEqual(set(SERVERS), set(report["servers"]))
        text = self.world.nezu("service", "list")
        self.assertIn("198.51.100.0/24:1-1023", text)


if __name__ == "__main__":
    tap.main()
