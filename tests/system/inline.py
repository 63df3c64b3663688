"""A network with Nezu in-line: one subnet, half of it on each side of one box or two.

  client -- router --+-- switch a --+--[front] lb  [back]--+-- switch b --+-- web1, web2
                     |              |                      |
             near ---+              +--[front] lb2 [back]--+

Servers have the router as their gateway. The switches are Linux bridges without a spanning tree.
"""
from namespaces import plain_frames, wait_until, wire
from world import HERE, Server, World

CLIENT, CLIENT6 = "198.51.100.2", "2001:db8:1::2"
OUTER, OUTER6 = "198.51.100.1", "2001:db8:1::1"
ROUTER, ROUTER6 = "10.0.0.254", "2001:db8:2::fe"
NEAR, NEAR6 = "10.0.0.9", "2001:db8:2::9"
VIP, VIP6 = "10.0.0.100", "2001:db8:2::100"
WEBS = {"web1": ("10.0.0.11", "2001:db8:2::11"), "web2": ("10.0.0.12", "2001:db8:2::12")}
FRAMES = ["/usr/bin/python3", str(HERE / "frames.py")]


class Web(Server):
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.address, self.address6 = WEBS[name]
        self.namespace = world.namespace(name)
        world.plug(self.namespace, "eth0", world.b, name)
        self.namespace.address("eth0", f"{self.address}/24", f"{self.address6}/64")
        self.namespace.ip("route", "add", "default", "via", ROUTER)
        self.namespace.ip("-6", "route", "add", "default", "via", ROUTER6)
        self.nginx = None


class Box(World):
    """One Nezu between the two switches."""
    address, address6 = "10.0.0.2", "2001:db8:2::2"

    def __init__(self, switches, **options):
        super().__init__(**options)
        self.a, self.b = switches

    def build_network(self):
        self.lb = self.namespace("lb2")
        self.plug(self.lb, "front", self.a, "lb2")
        self.plug(self.lb, "back", self.b, "lb2")

    def plug(self, namespace, device, switch, port):
        wire(namespace, device, switch, port)
        switch.ip("link", "set", port, "master", "bridge")

    def address_twins(self):
        """The twin of the clients' side is the whole bridge's."""
        plain_frames(self.lb, "nz-front")
        self.lb.ip("link", "set", "nz-front", "up")
        self.lb.address("nz-front", f"{self.address}/24", f"{self.address6}/64")

    def bridges(self):
        return {one["name"]: one for one in self.nezu_json("stats", "bridges")["bridges"]}

    def bridge_state(self, name="inline"):
        return self.bridges()[name]["state"].upper().removeprefix("BRIDGE_STATE_")

    def wait_for(self, state, name="inline", seconds=10):
        wait_until(f"bridge {name} is {state}",
                   lambda: self.bridge_state(name) == state, seconds)


class InlineWorld(Box):
    address, address6 = "10.0.0.1", "2001:db8:2::1"

    def __init__(self, **options):
        super().__init__((None, None), **options)

    def build_network(self):
        (self.folder / "www").mkdir()
        (self.folder / "www" / "large").write_bytes(b"nezu" * (1 << 18))
        names = ("client", "router", "lb", "a", "b", "near")
        self.client, self.router, self.lb, self.a, self.b, self.near = map(self.namespace, names)
        for switch in (self.a, self.b):
            switch.ip("link", "add", "bridge", "type", "bridge", "stp_state", "0")
            switch.ip("link", "set", "bridge", "up")
        wire(self.client, "eth0", self.router, "out")
        self.plug(self.router, "in", self.a, "router")
        self.plug(self.near, "eth0", self.a, "near")
        self.plug(self.lb, "front", self.a, "lb")
        self.plug(self.lb, "back", self.b, "lb")
        self.client.address("eth0", f"{CLIENT}/24", f"{CLIENT6}/64")
        self.client.ip("route", "add", "default", "via", OUTER)
        self.client.ip("-6", "route", "add", "default", "via", OUTER6)
        self.router.address("out", f"{OUTER}/24", f"{OUTER6}/64")
        self.router.address("in", f"{ROUTER}/24", f"{ROUTER6}/64")
        self.router.sysctl("net.ipv4.ip_forward", 1)
        self.router.sysctl("net.ipv6.conf.all.forwarding", 1)
        # It would tell servers of a shorter way to others of their subnet.
        self.router.sysctl("net.ipv4.conf.all.send_redirects", 0)
        self.near.address("eth0", f"{NEAR}/24", f"{NEAR6}/64")
        self.servers = {name: Web(self, name) for name in WEBS}
        for server in self.servers.values():
            server.start()

    def close_loop(self):
        """Somebody connects the switches."""
        wire(self.a, "loop", self.b, "loop")
        for switch in (self.a, self.b):
            switch.ip("link", "set", "loop", "master", "bridge")

    def forget_hosts(self):
        for switch in (self.a, self.b):
            switch.ip("link", "set", "dev", "lb", "type", "bridge_slave", "fdb_flush")

    def set_links(self, state):
        for switch in (self.a, self.b):
            switch.ip("link", "set", "lb", state)

    def open_loop(self):
        self.a.ip("link", "delete", "loop")
