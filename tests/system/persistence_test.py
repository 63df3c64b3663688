#!/usr/bin/python3
"""Clients that stay on their server: a cart that is filled over HTTP is paid over HTTPS there, with
nginx and curl; what an operator sees and does about it; and what a restart leaves."""
import collections
import ipaddress
import time

from case import Case, tap
from namespaces import run, wait_until
from world import CLIENTS, CLIENTS6, HTTP, SERVERS, VIP, VIP6

HTTPS, SHORT = 443, 8080
BITS = 29  # of IPv4 clients
SHOPPERS = CLIENTS[3:27]  # three such prefixes

SECURE = """
daemon off; pid {folder}/{name}-tls.pid; error_log {folder}/{name}-tls.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {folder}/tls.pem; ssl_certificate_key {folder}/tls.key;
  server {{
    listen 443 ssl; listen [::]:443 ssl;
    location = / {{ default_type text/plain; return 200 "{name}\\n"; }}
  }}
}}
"""

KEPT = f"{{ timeout_s: 300, ipv4_prefix_length: {BITS} }}"


def configuration():
    lines = ["services:"]
    for family, vip in ((4, VIP), (6, VIP6)):
        for name, port in (("http", HTTP), ("https", HTTPS)):
            lines.append(f'- {{ name: {name}{family}, address: "{vip}", port: {port}, '
                         f"pool: {name}{family}, mark: 7, persistence: {KEPT} }}")
    lines.append(f"- {{ name: short, address: {VIP}, port: {SHORT}, pool: http4, "
                 "persistence: { timeout_s: 1 } }")
    lines.append("pools:")
    for family in (4, 6):
        for name, port in (("http", HTTP), ("https", HTTPS)):
            lines += [f"- name: {name}{family}", "  scheduler: rr", "  servers:"]
            lines += [f'  - {{ address: "{addresses[family == 6]}", port: {port} }}'
                      for addresses in SERVERS.values()]
    return "\n".join(lines) + "\n"


class Persistence(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj",
            "/CN=shop", "-keyout", world.folder / "tls.key", "-out", world.folder / "tls.pem")
        for name, server in world.servers.items():
            path = world.folder / f"{name}-tls.conf"
            path.write_text(SECURE.format(folder=world.folder, name=name))
            world.process(f"{name}-tls", *server.namespace.command(
                "nginx", "-c", path, "-e", world.folder / f"{name}-tls-error.log"))
            wait_until(f"TLS of {name} listens", lambda server=server: server.listens(HTTPS))

    def setUp(self):
        self.world.nezu("persistence", "clear", "--all")

    def ask(self, client, port=HTTP, vip=VIP):
        """Who answers."""
        scheme = "https" if port == HTTPS else "http"
        host = f"[{vip}]" if ":" in vip else vip
        return self.world.client.run("curl", "-sSk", "--max-time", 5, "--interface", client,
                                     f"{scheme}://{host}:{port}/").strip()

    def listed(self, *filters):
        return self.world.nezu_json("persistence", *filters).get("clients", [])

    def test_a_cart_is_paid_where_it_was_filled(self):
        by_prefix = collections.defaultdict(set)
        for client in SHOPPERS:
            prefix = ipaddress.ip_network(f"{client}/{BITS}", strict=False)
            by_prefix[str(prefix)] |= {self.ask(client), self.ask(client, HTTPS)}
        self.assertEqual({1}, {len(servers) for servers in by_prefix.values()}, by_prefix)
        # Each worker has turns of its own.
        self.assertGreater(len(set.union(*by_prefix.values())), 1, by_prefix)
        self.assertEqual({(prefix, SERVERS[next(iter(servers))][0])
                          for prefix, servers in by_prefix.items()},
                         {(one["client"], one["server"]) for one in self.listed()})
        self.assertEqual({7}, {one["mark"] for one in self.listed("--service", "https4")})
        # Over IPv6 each address is a client.
        for client in CLIENTS6[:6]:
            self.assertEqual(self.ask(client, vip=VIP6), self.ask(client, HTTPS, VIP6))
        self.assertEqual(3 + 6, len(self.listed()))
        self.assertIn("9 of ", self.world.nezu("system"))

    def test_an_operator_moves_and_forgets_clients(self):
        client, other = SHOPPERS[0], SHOPPERS[8]
        self.ask(client)
        self.ask(other)
        for name, addresses in SERVERS.items():
            self.world.nezu("persistence", "add", client, f"{addresses[0]}:{HTTPS}", "--service",
                            "https4")
            self.assertEqual({name}, {self.ask(client), self.ask(client, HTTPS)})
        self.assertIn("1 client forgotten", self.world.nezu("persistence", "clear", "--client",
                                                            client))
        self.assertEqual(1, len(self.listed()))
        refused = self.world.nezu("persistence", "add", client, "10.0.0.99:443", "--service",
                                  "https4", check=False)
        self.assertIn("There is no such server in pool https4", refused.stderr)

    def test_draining_moves_clients_and_a_restart_does_not(self):
        world = self.world
        before = {client: self.ask(client) for client in SHOPPERS[::8]}
        world.dataplane.kill()
        world.start_dataplane()
        self.assertEqual(before, {client: self.ask(client) for client in before})
        drained = {f"{SERVERS['web1'][0]}:{port}" for port in (HTTP, HTTPS)}
        for server in drained:
            world.nezu("set", "state", server, "drain")
        for client, server in before.items():
            now = self.ask(client)
            self.assertEqual(now, self.ask(client, HTTPS))
            self.assertTrue(now != "web1" and server in (now, "web1"), (before, now))
        for server in drained:
            world.nezu("set", "state", server, "ready")

    def test_a_client_is_forgotten_when_it_says_nothing(self):
        first = self.ask(CLIENTS[0], SHORT)
        self.assertEqual(first, self.ask(CLIENTS[0], SHORT))
        wait_until("it is forgotten", lambda: not self.listed("--service", "short"), 12)
        self.assertNotEqual(first, self.ask(CLIENTS[0], SHORT))

    def test_marks_without_sense_are_refused(self):
        for setting, sentence in (
                ("persistence.timeout_s=60", "and other persistence"),
                ("persistence.ipv4_prefix_length=33", "32"), ("mark=70000", "65535")):
            refused = self.world.nezu("service", "update", "http4", setting, check=False)
            self.assertNotEqual(0, refused.returncode)
            self.assertIn(sentence, refused.stderr)


if __name__ == "__main__":
    tap.main()
