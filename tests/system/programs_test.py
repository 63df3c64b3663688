#!/usr/bin/python3
"""MariaDB, DNS, SMTP and RADIUS behind Nezu: by nat, by fullnat, between the families, by direct
routing and by a tunnel; a server that sends mail to the outside through source NAT."""
import re

from case import Case, tap
from direct import hold_vips, take_out_of_tunnels, wire_direct
from namespaces import wait_until
from programs import (DNS, LONG, RADIUS, SERVED, SMTP, SQL, VIPS, Asking, mails, start_all,
                      start_smtp)
from services import SHIFT, configuration, pool, service
from world import CLIENTS, CLIENTS6, VIP

APPLICATIONS = {"sql": (SQL, "tcp"), "dns": (DNS, "udp"), "dns-tcp": (DNS, "tcp"),
                "smtp": (SMTP, "tcp"), "radius": (RADIUS, "udp")}
GUE_PORT = 6080  # the default
ACROSS = 20000  # added to the ports of services whose servers are of the other family
OUTSIDE, OUTSIDE6 = "192.0.2.101", "2001:db8:1::1:1"
SNATS = ("192.0.2.200", "2001:db8:1::200")


def services():
    all_services, pools = [], []
    for name, (port, protocol) in APPLICATIONS.items():
        for family in (0, 1):
            of = f"{name}{(4, 6)[family]}"
            pools.append(pool(of, port, family, protocol, servers=SERVED))
            all_services += [service(f"{of}-{mode}", of, port, family, protocol, mode)
                             for mode in SHIFT]
            all_services.append(service(f"{of}-across", of, ACROSS + port - SHIFT["fullnat"],
                                        1 - family, protocol, "fullnat"))
    return configuration(all_services, pools) + "\n".join([
        "- name: outside", f'  addresses: ["{SNATS[0]}", "{SNATS[1]}"]', "source_nats:",
        "- name: outwards", "  pools: [smtp4, smtp6]", "  snat_set: outside", ""])


class Programs(Case):
    workers = 2
    configuration = services()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        start_all(cls.world)
        cls.client = Asking(cls.world.client)

    def ways(self, port):
        """(VIP, port, whether the server sees the client's address)."""
        for vip in VIPS:
            yield vip, port, True
            yield vip, port + SHIFT["fullnat"], False
            yield vip, port + ACROSS, False

    def test_mariadb(self):
        for number, (vip, port, is_seen) in enumerate(self.ways(SQL)):
            sent = 100000 + number
            out = self.client.sql(vip, port, (
                "SELECT @@report_host, SUBSTRING_INDEX(USER(), '@', -1); START TRANSACTION; "
                f"INSERT INTO orders VALUES ({number}, REPEAT('x', {sent})); COMMIT; DO SLEEP(0.2); "
                f"SELECT LENGTH(text) FROM orders WHERE number = {number}; "
                f"SELECT REPEAT('y', 300000)")).split()
            self.assertIn(out[0], SERVED)
            self.assertEqual(is_seen, out[1] in CLIENTS + CLIENTS6, out[:2])
            self.assertEqual([str(sent), "y" * 300000], out[2:])
        names = {self.client.sql(VIP, SQL, "SELECT @@report_host").strip() for _ in range(6)}
        self.assertEqual(set(SERVED), names)

    def test_dns(self):
        for vip, port, _ in self.ways(DNS):
            for options in (), ("+tcp",):
                self.assertIn(self.client.dns(vip, port, "who.nezu.test", *options)[0], SERVED)
            # Cut off over UDP, asked for again over TCP.
            self.assertEqual(LONG, self.client.dns(vip, port, "long.nezu.test", "+bufsize=512"))

    def test_smtp(self):
        for number, (vip, port, is_seen) in enumerate(self.ways(SMTP)):
            file = self.world.folder / f"mail-{number}"
            lines = "\n".join(f"line {line} of mail {number}" for line in range(8000))
            file.write_text(f"Subject: number {number}\n\n{lines}\n")
            self.client.mail(vip, port, file)
            found = [mail for name in SERVED for mail in mails(self.world, name)
                     if f"Subject: number {number}\n" in mail]
            self.assertEqual(1, len(found))
            self.assertIn(lines, found[0])
            peer = re.search(r"X-Peer: \('([^']*)'", found[0])[1]
            self.assertEqual(is_seen, peer in CLIENTS + CLIENTS6, peer)

    def test_radius(self):
        for vip, port, is_seen in self.ways(RADIUS):
            for _ in range(2):
                answer = self.client.radius(vip, port)
                self.assertIn("Access-Accept", answer)
                name, peer = re.search(r'Reply-Message = "(\S+) (\S+?)"', answer).groups()
                self.assertIn(name, SERVED)
                self.assertEqual(is_seen, peer in CLIENTS + CLIENTS6, peer)
            self.assertIn("Access-Reject", self.client.radius(vip, port, "wrong"))

    def test_servers_send_mail_to_the_outside(self):
        start_smtp(self.world, self.world.client, "outside")
        wait_until("it listens", lambda: self.world.client.run(
            "ss", "-Hltn", f"sport = :{SMTP}").count("\n") >= 2, 30)
        for name, host, snat in (("web1", OUTSIDE, SNATS[0]), ("web2", OUTSIDE6, SNATS[1])):
            file = self.world.folder / f"outward-{name}"
            file.write_text(f"Subject: from {name}\n\nhello\n")
            Asking(self.world.servers[name].namespace).mail(host, SMTP, file)
            found = [mail for mail in mails(self.world, "outside")
                     if f"Subject: from {name}\n" in mail]
            self.assertEqual(1, len(found))
            self.assertIn(f"X-Peer: ('{snat}'", found[0])


def direct(mode):
    services, pools = [], []
    for family, vip in enumerate(VIPS):
        for name, (port, protocol) in APPLICATIONS.items():
            of = f"{name}{(4, 6)[family]}"
            pools.append(pool(of, port, family, protocol, servers=SERVED))
            services.append(f'- {{ name: {of}, address: "{vip}", port: {port}, '
                            f"protocol: {protocol}, mode: {mode}, pool: {of} }}")
    return "\n".join(["services:", *services, "pools:", *pools, ""])


class PastTheBalancer(Case):
    """By direct routing and by a tunnel; answers go another way."""
    configuration = direct("route")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        wire_direct(cls.world)
        for name in SERVED:
            hold_vips(cls.world.servers[name])
            take_out_of_tunnels(cls.world.servers[name], GUE_PORT)
            # dnsmasq answers by devices that have the address alone.
            cls.world.servers[name].namespace.address(
                "tun0", *(f"{vip}/{128 if ':' in vip else 32}" for vip in VIPS))
        start_all(cls.world)
        cls.client = Asking(cls.world.client)

    def ask_all(self, kind):
        for vip in VIPS:
            out = self.client.sql(vip, SQL, "SELECT @@report_host; SELECT REPEAT('y', 300000)")
            self.assertIn(out.split()[0], SERVED)
            self.assertEqual("y" * 300000, out.split()[1])
            for options in (), ("+tcp",):
                self.assertIn(self.client.dns(vip, DNS, "who.nezu.test", *options)[0], SERVED)
            self.assertIn("Access-Accept", self.client.radius(vip, RADIUS))
            subject = f"{kind} to {vip}"
            file = self.world.folder / f"mail-{kind}-{vip}"
            file.write_text(f"Subject: {subject}\n\n" + "a line of it\n" * 8000)
            self.client.mail(vip, SMTP, file)
            found = [mail for name in SERVED for mail in mails(self.world, name)
                     if f"Subject: {subject}\n" in mail]
            self.assertEqual(1, len(found))
            self.assertEqual(8000, found[0].count("a line of it"))

    def test_sql_dns_radius_and_mail(self):
        self.ask_all("route")
        self.world.apply(direct("tunnel_gue"))
        self.ask_all("tunnel")
        flows = self.world.statistics()["services"]
        self.assertTrue(all(int(one["counters"]["flows_opened"]) > 0 for one in flows), flows)


if __name__ == "__main__":
    tap.main()
