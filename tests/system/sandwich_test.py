#!/usr/bin/python3
"""A firewall sandwich: two firewalls between two slices of one Nezu, each a network instance.

  client --[out]  nezu, standard  [fwo]--+-- fw1 --+--[fwi]  nezu, "inside"  [in]-- server
                                         +-- fw2 --+
                                        (which translates clients' addresses)

The firewalls are the kernel's (nftables), and strict: what belongs to no connection of theirs is
dropped, so that nothing works whose halves go by different ones. Each is checked through itself: from
outside by a page of the server, from inside by a ping of the client.
"""
from case import Case, tap
from namespaces import hide_from_kernel, plain_frames, run, wait_until, wire
from world import ECHO, NGINX, PEERS, World, number, wait_open

OUT, CLIENT = "192.0.2.1", "192.0.2.101"
CLIENTS = [f"192.0.2.{number}" for number in range(101, 125)]
IN, SERVER = "10.3.0.1", "10.3.0.80"
OUTER, INNER = "10.1.0.1", "10.2.0.1"  # nezu's own, where the firewalls are
# What is reached through one firewall alone: addresses of the server and of the client.
FIREWALLS = {"fw1": ("10.1.0.11", "10.2.0.11", "10.9.0.1", "10.8.0.1"),
             "fw2": ("10.1.0.12", "10.2.0.12", "10.9.0.2", "10.8.0.2")}
PORTS = {"out": "clients", "fwo": "servers", "in": "clients", "fwi": "servers"}
TABLE = 50  # of the instance "inside"

CHECK = "interval_ms: 300, timeout_ms: 300, rise: 2, fall: 2"
CONFIGURATION = f"""
instances:
- {{ name: inside, number: {TABLE}, links: [in, fwi] }}
services:
- {{ name: outer, address: 0.0.0.0/0, protocol: any, mode: redirect, return_to_sender: true,
    pool: outer, without_server: drop }}
- {{ name: inner, instance: inside, address: 0.0.0.0/0, protocol: any, mode: redirect,
    return_to_sender: true, pool: inner, without_server: drop }}
pools:
- name: outer
  protocol: any
  scheduler: mh
  check: {{ http: {{ path: /, body_regex: "^behind the wall$" }}, port: 80, {CHECK} }}
  servers:
""" + "".join(f"  - {{ address: {outer}, check_address: {page} }}\n"
              for outer, _, page, _ in FIREWALLS.values()) + f"""
- name: inner
  instance: inside
  protocol: any
  scheduler: mh
  check: {{ icmp: {{}}, {CHECK} }}
  servers:
""" + "".join(f"  - {{ address: {inner}, check_address: {host} }}\n"
              for _, inner, _, host in FIREWALLS.values())

RULES = """
table ip wall {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct state new tcp flags & (syn | ack | rst | fin) != syn drop
    ct state new accept
  }
}
"""
TRANSLATION = """
table ip translation {
  chain out {
    type nat hook postrouting priority srcnat;
    oifname "in" masquerade
  }
}
"""


class Sandwich(World):
    def build_network(self):
        self.client, self.lb, self.switch, self.server = map(
            self.namespace, ("client", "lb", "switch", "server"))
        wire(self.client, "eth0", self.lb, "out")
        wire(self.server, "eth0", self.lb, "in")
        self.client.address("eth0", *(f"{one}/24" for one in CLIENTS))
        self.server.address("eth0", f"{SERVER}/24")
        for space, router in ((self.client, OUT), (self.server, IN)):
            space.ip("route", "add", "default", "via", router)
        for side in ("fwo", "fwi"):
            self.switch.ip("link", "add", side, "type", "bridge")
            self.switch.ip("link", "set", side, "up")
            wire(self.switch, f"{side}-nezu", self.lb, side)
            self.switch.ip("link", "set", f"{side}-nezu", "master", side)
        self.walls = {name: self.build_firewall(name) for name in FIREWALLS}
        for _, _, page, host in FIREWALLS.values():
            self.server.address("lo", f"{page}/32")
            self.client.address("lo", f"{host}/32")

    def build_firewall(self, name):
        outer, inner, _, _ = FIREWALLS[name]
        wall = self.namespace(name)
        for device, side, address in (("out", "fwo", outer), ("in", "fwi", inner)):
            wire(wall, device, self.switch, f"{side}-{name}")
            self.switch.ip("link", "set", f"{side}-{name}", "master", side)
            wall.address(device, f"{address}/24")
            for key in ("rp_filter", "send_redirects"):
                wall.sysctl(f"net.ipv4.conf.{device}.{key}", 0)
                wall.sysctl(f"net.ipv4.conf.all.{key}", 0)
        wall.sysctl("net.ipv4.ip_forward", 1)
        for net, router in (("192.0.2.0/24", OUTER), ("10.8.0.0/24", OUTER),
                            ("10.3.0.0/24", INNER), ("10.9.0.0/24", INNER)):
            wall.ip("route", "add", net, "via", router)
        wall.run("nft", "-f", "-", text=RULES + (TRANSLATION if name == "fw2" else ""))
        # Else it would take a connection for its own in the middle.
        wall.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
        return wall

    def start(self):
        for port in PORTS:
            hide_from_kernel(self.lb, port)
        self.start_controlplane()
        self.start_dataplane()
        self.address_twins()
        self.process("echo", *self.server.command(*PEERS, "serve", "server", ECHO))
        for name, space in (("server", self.server), ("client", self.client)):
            file = self.folder / f"{name}.conf"
            page = NGINX.format(folder=self.folder, name=name)
            file.write_text(page.replace(f'"{name}\\n"', '"behind the wall"').replace(
                "location = /", 'location = /who { default_type text/plain; return 200 '
                '"$remote_addr"; } location = /'))
            self.process(f"{name}-nginx", *space.command(
                "nginx", "-c", file, "-e", self.folder / f"{name}-error.log"))

    def start_dataplane(self, workers=None):
        memory = ["--in-memory"] if self.huge else ["--no-huge", "--no-shconf"]
        ports, devices = [], []
        for index, (port, side) in enumerate(PORTS.items()):
            ports += ["--port", f"name={port},dev=net_af_packet{index},side={side}"]
            devices += ["--vdev", f"net_af_packet{index},iface={port}"]
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            self.program("nezu-dataplane"), *ports, "--workers", workers or self.workers,
            "--region-dir", self.region_folder, "--state-dir", self.folder / "dataplane",
            "--flows", self.flow_limit, "--flows6", self.flow_limit, "--idle-sleep", "--",
            "--no-pci", "-m", 128, *memory, *devices))

    def address_twins(self):
        """As an operator would; in place of a VRF rules by interface and an altname."""
        lb = self.lb
        lb.sysctl("net.ipv4.conf.all.rp_filter", 0)
        for port, address in (("out", OUT), ("fwo", OUTER), ("in", IN), ("fwi", INNER)):
            twin = f"nz-{port}"
            plain_frames(lb, twin)
            lb.sysctl(f"net.ipv4.conf.{twin}.rp_filter", 0)
            lb.ip("link", "set", twin, "up")
            if port in ("in", "fwi"):
                for direction in ("iif", "oif"):
                    lb.ip("rule", "add", direction, twin, "table", TABLE)
                net = ".".join(address.split(".")[:3]) + ".0/24"
                lb.address(twin, f"{address}/24")
                lb.ip("route", "add", net, "dev", twin, "table", TABLE)
            else:
                lb.address(twin, f"{address}/24")
        lb.ip("link", "property", "add", "dev", "nz-fwi", "altname", "inside")
        lb.ip("route", "add", "10.8.0.0/24", "via", CLIENT)
        lb.ip("route", "add", "10.9.0.0/24", "via", SERVER, "dev", "nz-in", "table", TABLE)
        for outer, inner, page, host in FIREWALLS.values():
            lb.ip("route", "add", page, "via", outer)
            lb.ip("route", "add", host, "via", inner, "dev", "nz-fwi", "table", TABLE)


class FirewallSandwich(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = Sandwich(2, flows=4096).__enter__()
        cls.addClassCleanup(cls.world.close)
        try:
            cls.world.start()
            cls.world.apply(CONFIGURATION)
            cls.wait_for("fw1", "fw2")
        except Exception:
            print(cls.world.explain() + cls.world.say_drops())
            raise

    @classmethod
    def healthy(cls):
        return {address for (address, _), one in cls.world.servers_seen().items()
                if one["health"].upper().endswith("HEALTHY") and "UN" not in one["health"].upper()}

    @classmethod
    def wait_for(cls, *names):
        wanted = {address for name in names for address in FIREWALLS[name][:2]}
        wait_until(f"{names} pass traffic, and no other", lambda: cls.healthy() == wanted, 15)

    def who(self, source):
        """As whom the server sees a client: by fw2 it is fw2's own address."""
        return self.world.client.run("curl", "-s", "--max-time", 3, "--interface", source,
                                     f"http://{SERVER}/who", check=False).stdout

    def by_firewall(self):
        """Which clients go by which firewall."""
        seen = {source: self.who(source) for source in CLIENTS}
        by = {"fw1": [one for one in CLIENTS if seen[one] == one],
              "fw2": [one for one in CLIENTS if seen[one] == FIREWALLS["fw2"][1]]}
        self.assertEqual(len(CLIENTS), len(by["fw1"]) + len(by["fw2"]), seen)
        return by

    def test_1_both_directions_by_one_firewall(self):
        by = self.by_firewall()
        self.assertGreater(len(by["fw1"]), 3)
        self.assertGreater(len(by["fw2"]), 3)
        self.assertEqual(by, self.by_firewall())  # a client keeps to its own
        for role in ("hold", "ask"):
            flows = self.world.traffic(role, SERVER, ECHO, "--flows", len(CLIENTS), "--interval",
                                       0.1, sources=CLIENTS)
            wait_open(flows)
            self.assertEqual({"server": self.stop(flows)["answers"]}.keys(), {"server"})
        for source in (by["fw1"][0], by["fw2"][0]):
            self.world.client.run("ping", "-c", 2, "-i", 0.2, "-W", 1, "-I", source, SERVER)
        # What the server opens: back through the firewall that let it out.
        for port in range(40000, 40008):
            self.assertEqual(SERVER, self.world.server.run(
                "curl", "-s", "--max-time", 3, "--local-port", port, f"http://{CLIENT}/who"))

    def test_2_one_dies_behind_its_outer_leg(self):
        by = self.by_firewall()
        kept = self.world.traffic("hold", SERVER, ECHO, "--flows", len(by["fw2"]), "--interval",
                                  0.1, sources=by["fw2"])
        wait_open(kept)
        # Its outer leg goes on answering: only who looks through it learns of it.
        self.world.walls["fw1"].ip("link", "set", "in", "down")
        self.wait_for("fw2")
        run("ip", "netns", "exec", self.world.lb.name, "ping", "-c", 1, "-W", 1,
            FIREWALLS["fw1"][0])
        self.assertEqual({FIREWALLS["fw2"][1]}, {self.who(source) for source in CLIENTS})
        self.assertEqual(SERVER, self.world.server.run("curl", "-s", "--max-time", 3,
                                                       f"http://{CLIENT}/who"))
        self.stop(kept)
        self.world.walls["fw1"].ip("link", "set", "in", "up")
        for net in ("10.3.0.0/24", "10.9.0.0/24"):
            self.world.walls["fw1"].ip("route", "replace", net, "via", INNER)
        self.wait_for("fw1", "fw2")
        self.assertEqual(by, self.by_firewall())

    def test_3_listed_with_whom_answers_go_back_to(self):
        held = self.world.traffic("hold", SERVER, ECHO, "--flows", 4, "--interval", 0.1,
                                  sources=CLIENTS)
        wait_open(held)
        for service, instance in (("outer", 0), ("inner", TABLE)):
            flows = [one for one in self.world.flows(service)
                     if number(one, "service_port") == ECHO]
            self.assertTrue(flows)
            self.assertTrue(all(one.get("sender") for one in flows), flows)
            self.assertEqual({instance}, {number(one, "instance") for one in flows})
        self.stop(held)


if __name__ == "__main__":
    tap.main()
