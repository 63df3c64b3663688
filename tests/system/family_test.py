#!/usr/bin/python3
"""IPv4 clients of IPv6 servers and IPv6 clients of IPv4 servers, both at once."""
import hashlib
import ipaddress

from case import Case, tap
from services import SHIFT, configuration, pool, service
from world import CLIENTS, ECHO, HTTP, SERVERS, VIP, VIP6, number

FULLNAT = SHIFT["fullnat"]
PREFIX = "2001:db8:64::/96"


def across():
    """VIPs of each family with pools of the other, and one pool of both."""
    services, pools = [], []
    for family in (0, 1):
        clients = (4, 6)[family]
        for kind, port, protocol in (("http", HTTP, "tcp"), ("udp", ECHO, "udp"),
                                     ("echo", ECHO, "tcp")):
            name = f"{kind}{clients}"
            pools.append(pool(name, port, 1 - family, protocol))
            services.append(service(name, name, port, family, protocol, mode="fullnat"))
    # IPv6 servers that see each IPv4 client by its own address, below a prefix.
    services.append(service("kept", "http4", HTTP, 0) + f'\n  client_prefix: "{PREFIX}"')
    services.append(service("kept-udp", "udp4", ECHO, 0, "udp") + f'\n  client_prefix: "{PREFIX}"')
    return configuration(services, pools) + f'settings: {{ client_prefixes: ["{PREFIX}"] }}\n'


class Family(Case):
    workers = 2
    configuration = across()

    def test_pages_and_datagrams_both_ways_at_once(self):
        world = self.world
        clients = []
        for vip in (VIP, VIP6):
            clients.append(world.traffic("fetch", vip, HTTP + FULLNAT, "--rate", 40,
                                         "--seconds", 4))
            clients.append(world.traffic("ask", vip, ECHO + FULLNAT, "--interval", 0.2,
                                         "--flows", 64, "--seconds", 4))
            clients.append(world.traffic("hold", vip, ECHO + FULLNAT, "--interval", 0.2,
                                         "--flows", 64, "--seconds", 4))
        for client in clients:
            report = self.fine(client)
            self.assertEqual(set(SERVERS), set(report["servers"]), client.name)
        for one in world.flows("udp4"):
            self.assertIn("2001:db8:2::1", one["server"], one)
        for one in world.flows("udp6"):
            self.assertIn("10.0.0.1", one["server"], one)

    def test_servers_see_ipv4_clients_by_their_own_addresses(self):
        world = self.world
        pages = world.traffic("fetch", VIP, HTTP, "--rate", 40, "--seconds", 3)
        asked = world.traffic("ask", VIP, ECHO, "--interval", 0.2, "--flows", 64, "--seconds", 3)
        self.assertEqual(set(SERVERS), set(self.fine(pages)["servers"]))
        seen = {word.split()[1] for word in self.fine(asked)["seen"].values()}
        base = ipaddress.ip_network(PREFIX).network_address
        self.assertEqual({str(base + int(ipaddress.ip_address(one))) for one in CLIENTS}, seen)

    def test_a_large_page_arrives_byte_by_byte(self):
        expected = hashlib.sha256(b"nezu" * (1 << 18)).hexdigest()
        for vip in (VIP, f"[{VIP6}]"):
            done = self.world.client.run(
                "sh", "-c", f"curl -sgf --max-time 10 http://{vip}:{HTTP + FULLNAT}/large | "
                            "sha256sum")
            self.assertEqual(expected, done.split()[0], vip)

    def test_a_datagram_that_grows_too_long_is_told_the_mtu_of_its_side(self):
        """1,481 bytes of IPv4 would be 1,501 of IPv6; the kernel learns 1,480 and keeps to it."""
        script = ("import socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.setsockopt(socket.IPPROTO_IP, 10, 2)\n"  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
                  f"s.bind(('{CLIENTS[9]}', 0)); s.connect(('{VIP}', {ECHO + FULLNAT}))\n"
                  "s.settimeout(2)\n"
                  "s.send(b'x' * 1472)\n"
                  "try: s.recv(2048); sys.exit('it came through')\n"
                  "except OSError: pass\n"
                  "print(s.getsockopt(socket.IPPROTO_IP, 14))\n"  # IP_MTU
                  "s.send(b'x' * 1400); print(len(s.recv(2048)) > 1400)\n")
        out = self.world.client.run("/usr/bin/python3", "-c", script)
        self.assertEqual(["1480", "True"], out.split())
        reasons = self.world.drops()
        self.assertGreater(reasons.get("too_big", 0), 0, reasons)

    def test_what_may_be_fragmented_comes_whole(self):
        """1,500 bytes of IPv4 without DF: the server's kernel puts two IPv6 fragments together."""
        script = ("import socket\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "s.setsockopt(socket.IPPROTO_IP, 10, 0)\n"  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
                  f"s.bind(('{CLIENTS[10]}', 0)); s.connect(('{VIP}', {ECHO + FULLNAT}))\n"
                  "s.settimeout(5)\n"
                  "text = (bytes(range(256)) * 8)\n"
                  "for length in (1472, 1460):\n"
                  "    s.send(text[:length])\n"
                  "    print(s.recv(4096).endswith(text[:length]))\n")
        out = self.world.client.run("/usr/bin/python3", "-c", script)
        self.assertEqual(["True", "True"], out.split())
        workers = self.world.statistics()["workers"]
        self.assertGreaterEqual(sum(number(one, "fragmented") for one in workers), 2)


if __name__ == "__main__":
    tap.main()
