#!/usr/bin/python3
"""Services for some clients, joined by a mark; and a resolver's questions, each by itself: nginx,
curl, dnsmasq and dig."""
import collections

from case import Case, tap
from namespaces import wait_until
from programs import start_dnsmasq
from world import CLIENTS, HTTP, SERVERS, VIP

MOBILE, OFFICE = CLIENTS[11:20], CLIENTS[27:40]  # 192.0.2.112-120, 192.0.2.128-140
SHOP, DNS, DNS_ONE = 8080, 53, 5353
KEPT = "{ timeout_s: 300 }"


def configuration(mobile="192.0.2.112/28"):
    def service(name, port, pool, more):
        return f"- {{ name: {name}, address: {VIP}, port: {port}, pool: {pool}, {more} }}"

    def pool(name, port, servers, more=""):
        return [f"- name: {name}", "  scheduler: rr", *([more] if more else []), "  servers:",
                *(f"  - {{ address: {SERVERS[one][0]}, port: {port} }}" for one in servers)]

    lines = ["services:"]
    for port in (HTTP, SHOP):
        lines += [service(f"all{port}", port, "one", f"mark: 1, persistence: {KEPT}"),
                  service(f"mobile{port}", port, "others",
                          f'sources: ["{mobile}"], mark: 2, persistence: {KEPT}'),
                  service(f"back{port}", port, "one",
                          f"interfaces: [back], mark: 3, persistence: {KEPT}")]
    lines += [service("dns", DNS, "dns", "protocol: udp"),
              service("dns-one", DNS_ONE, "dns", "protocol: udp, one_packet: true"),
              "pools:", *pool("one", HTTP, ["web1"]), *pool("others", HTTP, ["web2", "web3"]),
              *pool("dns", DNS, SERVERS, "  protocol: udp")]
    return "\n".join(lines) + "\n"


class Marks(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for server in cls.world.servers.values():
            start_dnsmasq(cls.world, server)
            wait_until(f"dnsmasq of {server.name} listens",
                       lambda server=server: server.namespace.run("ss", "-Hlun",
                                                                  f"sport = :{DNS}").strip())

    def ask(self, client, port=HTTP):
        return self.world.client.run("curl", "-sS", "--max-time", 5, "--interface", client,
                                     f"http://{VIP}:{port}/").strip()

    def test_who_asks_decides_and_a_mark_joins(self):
        for client in OFFICE:
            self.assertEqual("web1", self.ask(client))
        asked = collections.Counter()
        for client in MOBILE:
            server = self.ask(client)
            asked[server] += 1
            self.assertEqual(server, self.ask(client, SHOP), "one server over both ports")
        self.assertEqual({"web2", "web3"}, set(asked))
        clients = self.world.nezu_json("persistence").get("clients", [])
        self.assertEqual({1, 2}, {one["mark"] for one in clients})

    def test_others_are_asked_when_it_changes(self):
        client = OFFICE[-1]
        self.assertEqual("web1", self.ask(client))
        self.world.apply(configuration(f"{client}"))
        self.assertIn(self.ask(client), ("web2", "web3"))
        self.assertEqual("web1", self.ask(MOBILE[0]))
        self.world.apply(configuration())

    def test_what_two_services_would_take_is_refused(self):
        refused = self.world.nezu("service", "create", "twice", f"address={VIP}", f"port={HTTP}",
                                  "pool=one", "sources=192.0.2.112/28", check=False)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("takes 192.0.2.112/28 as well", refused.stderr)
        refused = self.world.nezu("service", "create", "six", f"address={VIP}", "port=81",
                                  "pool=one", "sources=2001:db8::/32", check=False)
        self.assertIn("no client of it is in this prefix", refused.stderr)

    def test_the_list_tells_services_of_one_place_apart(self):
        rows = self.world.nezu("service", "list").splitlines()
        row = {line.split()[0]: line for line in rows}
        self.assertIn(" for ", rows[0])
        self.assertIn("192.0.2.112/28", row["mobile80"])
        self.assertIn("by back", row["back80"])
        self.assertNotIn("by back", row["all80"])

    def test_what_would_do_nothing_is_told(self):
        def told(*words):
            ran = self.world.nezu(*words, check=False)
            return ran.stdout + ran.stderr

        self.assertIn("give the pool rr, wrr, random or twos",
                      told("pool", "update", "dns", "scheduler=lc"))
        self.assertIn("so are all its clients", told(
            "persistence", "add", "2001:db8::7", f"{SERVERS['web1'][0]}:{HTTP}", "--service",
            f"all{HTTP}"))
        new = ("service", "create", "lost", f"address={VIP}", "port=82", "pool=one")
        self.assertIn("has no such port", told(*new, "interfaces=bakc", "--check"))
        self.assertIn("No network instance has this VLAN",
                      told(*new, "interfaces=back.7", "--check"))

    def dig(self, port):
        """Ten questions, all from one port of a client."""
        return [self.world.client.run("dig", "-b", f"{OFFICE[0]}#{20000 + port}", f"@{VIP}", "-p",
                                      port, "+short", "+tries=1", "+time=3", "TXT",
                                      "who.nezu.test").strip().strip('"')
                for _ in range(12)]

    def test_a_resolver_with_one_port(self):
        self.assertEqual(1, len(set(self.dig(DNS))), "a flow stays")
        answers = collections.Counter(self.dig(DNS_ONE))
        self.assertEqual({name: 4 for name in SERVERS}, dict(answers))


if __name__ == "__main__":
    tap.main()
