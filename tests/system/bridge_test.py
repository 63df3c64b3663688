#!/usr/bin/python3
"""In-line on one subnet: hosts of both sides reach each other through us, servers answer to their own
gateway and clients see the VIP; a second box in parallel; a loop that somebody else closes."""
import json

from case import Case, tap
from inline import CLIENT, CLIENT6, FRAMES, NEAR, VIP, VIP6, WEBS, Box, InlineWorld
from namespaces import wait_until
from services import FAST_CHECK
from world import ECHO, HTTP, number

ALL = "ff:ff:ff:ff:ff:ff"


def instances(priority):
    return f"""
instances:
- name: standard
  links: [front.5, back.5]
  bridges:
  - {{ name: inline, clients: front, servers: back, priority: {priority} }}
  - {{ name: tagged, clients: front.5, servers: back.5, priority: {priority} }}
"""


def configuration():
    lines = ["services:"]
    pools = ["pools:"]
    for family, vip in ((4, VIP), (6, VIP6)):
        for kind, port, protocol, check in (("http", HTTP, "tcp", "http: {}"),
                                            ("udp", ECHO, "udp", "icmp: {}")):
            name = f"{kind}{family}"
            lines.append(f'- {{ name: {name}, address: "{vip}", port: {port}, '
                         f"protocol: {protocol}, mode: nat, pool: {name} }}")
            servers = ", ".join(f'{{ address: "{one[family == 6]}", port: {port} }}'
                                for one in WEBS.values())
            pools.append(f"- {{ name: {name}, protocol: {protocol}, scheduler: rr, "
                         f"check: {FAST_CHECK.format(kind=check)}, servers: [{servers}] }}")
    return instances(200) + "\n".join([*lines, *pools, ""])


class Bridge(Case):
    workers = 2

    @classmethod
    def setUpClass(cls):
        cls.world = InlineWorld(workers=cls.workers).__enter__()
        cls.addClassCleanup(cls.world.close)
        try:
            cls.world.start()
            cls.world.apply(configuration())
            cls.world.wait_for("BRIDGING")
            cls.world.wait_for("BRIDGING", "tagged")
            wait_until("the servers are healthy", lambda: all(
                one["health"].upper().endswith("HEALTHY")
                for one in cls.world.nezu_json("server", "list")["servers"]))
        except Exception:
            print(cls.world.explain() + cls.world.say_drops())
            raise

    def ping(self, namespace, host, count=3):
        return namespace.run("ping", "-c", count, "-i", 0.2, "-W", 2, host, check=False)

    def count(self, name, namespace):
        process = self.world.process(name, *namespace.command(*FRAMES, "count", "eth0"))
        wait_until("it listens", lambda: "listening" in process.log.read_text(), 30)
        return process

    def counted(self, process):
        process.wait(15)
        return json.loads(process.log.read_text().splitlines()[-1])

    def once(self, name):
        """What is sent to all from either side arrives once, and never where it came from."""
        near, web = self.world.near, self.world.servers["web1"].namespace
        counts = [self.count(f"{name}-near", near), self.count(f"{name}-web", web)]
        near.run(*FRAMES, "send", "eth0", ALL, 20)
        web.run(*FRAMES, "send", "eth0", ALL, 30)
        self.assertEqual([{"-": 30}, {"-": 20}], [self.counted(one) for one in counts])

    def test_1_hosts_of_both_sides_reach_each_other(self):
        world = self.world
        for address in WEBS["web1"]:
            self.assertEqual(0, self.ping(world.near, address).returncode)
            host = f"[{address}]" if ":" in address else address
            size = world.near.run("curl", "-sg", "--max-time", 10, "-o", "/dev/null",
                                  "-w", "%{size_download}", f"http://{host}/large")
            self.assertEqual(4 << 18, int(size))
        # Our own address, from both sides.
        for namespace in (world.near, world.servers["web2"].namespace):
            self.assertEqual(0, self.ping(namespace, world.address).returncode)
        seen = world.bridges()["inline"]
        self.assertGreater(number(seen, "packets_to_servers"), 50)
        self.assertGreater(number(seen, "packets_to_clients"), 50)
        self.assertIn("inline", world.nezu("stats", "bridges"))

    def test_2_tag_and_priority_are_kept(self):
        web = self.world.servers["web1"].namespace
        listening = self.count("tags", web)
        mac = json.loads(web.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
        for to, vlan, priority in ((mac, 5, 6), (ALL, 5, 3), (ALL, 0, 4), (ALL, 6, 1)):
            self.world.near.run(*FRAMES, "send", "eth0", to, 5, vlan, priority)
        # VLAN 6 is nobody's.
        self.assertEqual({"5 6": 5, "5 3": 5, "0 4": 5}, self.counted(listening))

    def test_3_servers_keep_their_gateway(self):
        world = self.world
        for vip, client in ((VIP, CLIENT), (f"[{VIP6}]", CLIENT6)):
            seen = {world.client.run("curl", "-sg", "--max-time", 5, f"http://{vip}/").strip()
                    for _ in range(6)}
            self.assertEqual(set(WEBS), seen)
            size = world.client.run("curl", "-sg", "--max-time", 20, "-o", "/dev/null",
                                    "-w", "%{size_download}", f"http://{vip}/large")
            self.assertEqual(4 << 18, int(size))
            # They see who asks.
            for name in WEBS:
                self.assertIn(client, (world.folder / f"{name}-access.log").read_text())
        for vip, client in ((VIP, CLIENT), (VIP6, CLIENT6)):
            self.fine(world.traffic("ask", vip, ECHO, "--flows", 8, "--seconds", 1.5,
                                    sources=[client]))
        # A client in the servers' own subnet, at the other side.
        self.assertIn(world.near.run("curl", "-s", "--max-time", 5, f"http://{VIP}/").strip(), WEBS)
        self.assertEqual(0, self.ping(world.near, VIP).returncode)

    def test_4_a_loop_of_somebody_else_stops_it(self):
        world = self.world
        world.close_loop()
        world.wait_for("LOOP")
        # They reach each other by what closed the loop, once the switches look for them anew.
        world.forget_hosts()
        self.assertEqual(0, self.ping(world.near, WEBS["web1"][0]).returncode)
        self.once("loop")
        world.open_loop()
        world.wait_for("BRIDGING")
        self.assertEqual(0, self.ping(world.near, WEBS["web1"][0]).returncode)

    def test_5_of_two_boxes_one_bridges(self):
        world = self.world
        with Box((world.a, world.b)) as second:
            second.start()
            second.apply(instances(100))
            second.wait_for("STANDING_BY")
            self.assertEqual("BRIDGING", world.bridge_state())
            self.once("both")
            world.dataplane.kill()
            world.set_links("down")  # as when the machine goes: the switches forget who was there
            second.wait_for("BRIDGING", seconds=15)
            self.assertEqual(0, self.ping(world.near, WEBS["web1"][0]).returncode)
            self.assertEqual(0, self.ping(world.servers["web1"].namespace, NEAR).returncode)
            self.once("second")
            world.set_links("up")
            world.start_dataplane()
            second.wait_for("STANDING_BY")
            world.wait_for("BRIDGING")
            self.once("first")
            # Who answers for the VIP, which both boxes have here, is another matter (VRRP).
            self.assertEqual(0, self.ping(world.near, WEBS["web1"][0]).returncode)
            self.assertEqual(0, self.ping(world.servers["web1"].namespace, NEAR).returncode)


if __name__ == "__main__":
    tap.main()
