#!/usr/bin/python3
"""Network instances: the same VIPs, servers, SNAT addresses and clients in three at once, two of them
VLANs of one port; a server that fails in one of them; nothing that goes from one to another."""
from case import Case, tap
from instances import CLIENT, CLIENT6, INSTANCES, WEB, WEB6, InstancesWorld
from namespaces import wait_until
from services import FAST_CHECK, SHIFT
from world import ECHO, HTTP, SNAT, SNAT6, VIP, VIP6, number, wait_open

FLOWS = 24
# A SYN to the VIP, tagged as VLAN 30, which is nobody's.
STRANGER = f"""
import socket, struct
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, 1, 0, 64, 6, 0, socket.inet_aton('{CLIENT}'),
                 socket.inet_aton('{VIP}'))
total = sum(struct.unpack('!10H', ip))
total = ~((total & 0xffff) + (total >> 16)) & 0xffff
ip = ip[:10] + struct.pack('!H', total) + ip[12:]
tcp = struct.pack('!HHIIBBHHH', 999, {HTTP}, 1, 0, 0x50, 2, 1000, 0, 0)
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(('uplink', 0))
for _ in range(5):
    link.send(b'\\xff' * 6 + b'\\x02\\0\\0\\0\\0\\x99' + struct.pack('!HHH', 0x8100, 30, 0x800) + ip + tcp)
"""


def configuration():
    lines = ["instances:"]
    for name, (table, link) in INSTANCES.items():
        lines.append(f"- {{ name: {name}, number: {table}, links: [{link}] }}")
    for kind in ("services", "pools", "snat_sets"):
        lines.append(f"{kind}:")
        for name in INSTANCES:
            lines += globals()[kind](name)
    return "\n".join([*lines, ""])


def services(name):
    for family, vip in ((4, VIP), (6, VIP6)):
        for mode, shift in SHIFT.items():
            for kind, port, protocol in (("http", HTTP, "tcp"), ("echo", ECHO, "tcp"),
                                         ("udp", ECHO, "udp")):
                snats = f", snat_set: {name}" if mode == "fullnat" else ""
                yield (f'- {{ name: {name}-{kind}{family}-{mode}, instance: {name}, '
                       f'address: "{vip}", port: {port + shift}, protocol: {protocol}, '
                       f"mode: {mode}, pool: {name}-{kind}{family}{snats} }}")


def pools(name):
    for family, server in ((4, WEB), (6, WEB6)):
        for kind, port, protocol, check in (("http", HTTP, "tcp", "http: {}"),
                                            ("echo", ECHO, "tcp", "tcp: {}"),
                                            ("udp", ECHO, "udp", "icmp: {}")):
            yield (f"- {{ name: {name}-{kind}{family}, instance: {name}, protocol: {protocol}, "
                   f"check: {FAST_CHECK.format(kind=check)}, "
                   f'servers: [{{ address: "{server}", port: {port} }}] }}')


def snat_sets(name):
    yield f'- {{ name: {name}, instance: {name}, addresses: ["{SNAT}", "{SNAT6}"] }}'


class Instances(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        cls.world = InstancesWorld(cls.workers, flows=cls.flows).__enter__()
        cls.addClassCleanup(cls.world.close)
        try:
            cls.world.start()
            cls.world.apply(cls.configuration)
            cls.world.address_twins()
            cls.wait_for({name: "HEALTHY" for name in INSTANCES})
        except Exception:
            print(cls.world.explain() + cls.world.say_drops())
            raise

    @classmethod
    def health(cls, port=HTTP):
        """By instance, of the IPv4 and the IPv6 server with that port."""
        seen = {}
        for one in cls.world.nezu_json("server", "list")["servers"]:
            server = one["server"]
            name = next(name for name, (table, _) in INSTANCES.items()
                        if table == number(server, "instance"))
            if number(server, "port") == port:
                seen.setdefault(name, set()).add(one["health"].upper().removeprefix("HEALTH_"))
        return seen

    @classmethod
    def wait_for(cls, wanted, port=HTTP):
        wait_until(f"health is {wanted}", lambda: cls.health(port) == {
            name: {state} for name, state in wanted.items()})

    def page(self, name, path="", vip=VIP, port=HTTP, check=True):
        return self.world.clients[name].run("curl", "-sg", "--max-time", 3,
                                            f"http://{vip}:{port}/{path}", check=check)

    def hold(self, name, role, vip, port, first=20000):
        """Flows from the same ports in every instance."""
        source = CLIENT6 if ":" in vip else CLIENT
        return self.world.process(f"{name}-{role}-{vip}-{first}", *self.world.clients[name].command(
            "/usr/bin/python3", self.peers, role, vip, port, "--sources", source, "--flows", FLOWS,
            "--first-port", first, "--interval", 0.2))

    peers = __import__("world").HERE / "peers.py"

    def test_1_each_sees_its_own(self):
        for shift in SHIFT.values():
            for vip in (VIP, f"[{VIP6}]"):
                for _ in range(4):
                    for name in INSTANCES:
                        self.assertEqual(name, self.page(name, "", vip, HTTP + shift).strip())
        for name in INSTANCES:
            self.page(name, f"from-{name}")
            self.world.clients[name].run("ping", "-c", 1, "-W", 2, VIP)
        for name in INSTANCES:
            log = (self.world.folder / f"{name}-access.log").read_text()
            self.assertEqual({name}, {one for one in INSTANCES if f"/from-{one}" in log})

    def test_2_the_same_ports_at_once_outlive_the_data_plane(self):
        flows = {(name, role, vip): self.hold(name, role, vip, ECHO + shift)
                 for name in INSTANCES
                 for role, vip, shift in (("hold", VIP, 0), ("ask", VIP, SHIFT["fullnat"]),
                                          ("hold", VIP6, SHIFT["fullnat"]))}
        wait_open(*flows.values())
        self.world.dataplane.kill()
        self.world.start_dataplane()
        wait_until("answers", lambda: all(one.alive() for one in flows.values()), 1)
        for (name, _, _), one in flows.items():
            report = self.stop(one)
            self.assertEqual({name}, set(report["servers"]))
        listed = self.world.nezu_json("flows", "--instance", 20, "--limit", 1000)["flows"]
        self.assertTrue(listed)
        self.assertEqual({20}, {one["instance"] for one in listed})

    def test_3_a_failure_in_one_is_none_in_the_others(self):
        self.world.servers["blue"].kill_nginx()
        self.wait_for({"red": "HEALTHY", "blue": "FAILED", "green": "HEALTHY"})
        self.assertNotEqual(0, self.page("blue", check=False).returncode)
        for name in ("red", "green"):
            self.assertEqual(name, self.page(name).strip())
        self.assertEqual({name: {"HEALTHY"} for name in INSTANCES}, self.health(ECHO))
        self.world.servers["blue"].start_nginx()
        self.wait_for({name: "HEALTHY" for name in INSTANCES})

    def test_4_a_vlan_of_nobody_ends_there(self):
        def count():
            return sum(number(one, "packets") for one in self.world.statistics()["drops"]
                       if one["reason"] == "vlan_unknown")
        before = count()
        self.world.trunk.run("/usr/bin/python3", "-c", STRANGER)
        wait_until("they are counted", lambda: count() >= before + 5)

    def test_5_a_vlan_comes_and_goes_while_others_go_on(self):
        held = self.hold("red", "hold", VIP, ECHO, 30000)
        wait_open(held)
        self.world.nezu("instance", "create", "late", "number=40", "links=trunk.40,plain.41")
        for twin in ("nz-trunk.40", "nz-plain.41"):
            wait_until(f"{twin} is there", lambda one=twin: self.world.lb.has_link(one))
        refused = self.world.nezu("instance", "delete", "red", check=False)
        self.assertIn("is used by service red-echo4-fullnat", refused.stdout + refused.stderr)
        self.world.nezu("instance", "delete", "late")
        wait_until("its twins are gone", lambda: not self.world.lb.has_link("nz-trunk.40"))
        self.assertEqual({"red"}, set(self.stop(held)["servers"]))


if __name__ == "__main__":
    tap.main()
