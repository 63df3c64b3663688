"""Three network instances around one Nezu, with the same addresses in each.

  red-client, red-web ------ VLAN 10 --+
                                       +-- tagger --[trunk] nezu-dataplane [plain]-- green-client,
  blue-client, blue-web ---- VLAN 20 --+                                             green-web

The kernel of these tests need not know VRFs: their place take rules by interface, and an altname of
each twin.
"""
from namespaces import hide_from_kernel, plain_frames, wait_until, wire
from world import BACK, BACK6, FRONT, FRONT6, HERE, Server, World

INSTANCES = {"red": (10, "trunk.10"), "blue": (20, "trunk.20"), "green": (30, "plain")}
CLIENT, CLIENT6 = "192.0.2.101", "2001:db8:1::101"
WEB, WEB6 = "10.0.0.11", "2001:db8:2::11"


class Web(Server):
    """The one server of an instance."""

    def __init__(self, world, instance):
        self.world, self.name = world, instance
        self.address, self.address6 = WEB, WEB6
        self.namespace = world.namespace(f"{instance}-web")
        world.attach(self.namespace, instance, "web")
        self.namespace.address("eth0", f"{WEB}/24", f"{WEB6}/64")
        self.namespace.ip("route", "add", "default", "via", BACK)
        self.namespace.ip("-6", "route", "add", "default", "via", BACK6)
        self.nginx = None


class InstancesWorld(World):
    def attach(self, namespace, instance, name):
        """Its eth0 in the network of the instance."""
        wire(namespace, "eth0", self.switch, f"{instance}-{name}")
        self.switch.ip("link", "set", f"{instance}-{name}", "master", instance)

    def build_network(self):
        (self.folder / "www").mkdir()
        (self.folder / "www" / "large").write_bytes(b"nezu" * (1 << 18))
        self.lb, self.switch, self.trunk = map(self.namespace, ("lb", "switch", "trunk"))
        self.clients = {}
        for instance in INSTANCES:
            self.switch.ip("link", "add", instance, "type", "bridge")
            self.switch.ip("link", "set", instance, "up")
            client = self.clients[instance] = self.namespace(f"{instance}-client")
            self.attach(client, instance, "client")
            client.address("eth0", f"{CLIENT}/24", f"{CLIENT6}/64")
        for instance in ("red", "blue"):
            wire(self.trunk, instance, self.switch, f"{instance}-up")
            self.switch.ip("link", "set", f"{instance}-up", "master", instance)
            hide_from_kernel(self.trunk, instance)
        wire(self.trunk, "uplink", self.lb, "trunk")
        hide_from_kernel(self.trunk, "uplink")
        wire(self.switch, "green-up", self.lb, "plain")
        self.switch.ip("link", "set", "green-up", "master", "green")
        tagger = self.process("tagger", *self.trunk.command(
            "/usr/bin/python3", HERE / "tagger.py", "uplink", "10=red", "20=blue"))
        wait_until("the trunk works", lambda: "switching" in tagger.log.read_text())
        self.servers = {instance: Web(self, instance) for instance in INSTANCES}
        for server in self.servers.values():
            server.start()

    def start(self):
        hide_from_kernel(self.lb, "trunk")
        hide_from_kernel(self.lb, "plain")
        self.start_controlplane()
        self.start_dataplane()

    def start_dataplane(self, workers=None):
        memory = ["--in-memory"] if self.huge else ["--no-huge", "--no-shconf"]
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            self.program("nezu-dataplane"),
            "--port", "name=trunk,dev=net_af_packet0", "--port", "name=plain,dev=net_af_packet1",
            "--workers", workers or self.workers, "--region-dir", self.region_folder,
            "--state-dir", self.folder / "dataplane", "--flows", self.flow_limit,
            "--flows6", self.flow_limit, "--idle-sleep", "--", "--no-pci", "-m", 128, *memory,
            "--vdev", "net_af_packet0,iface=trunk", "--vdev", "net_af_packet1,iface=plain"))

    def address_twins(self):
        """As an operator would, with rules in place of VRFs; the twins of VLANs are there once the
        configuration is."""
        self.lb.sysctl("net.ipv4.conf.all.rp_filter", 0)
        for instance, (number, link) in INSTANCES.items():
            twin = f"nz-{link}"
            wait_until(f"{twin} is there", lambda name=twin: self.lb.has_link(name))
            plain_frames(self.lb, twin)
            self.lb.run("sysctl", "-q", "-w", f"net/ipv4/conf/{twin}/rp_filter=0")
            self.lb.ip("link", "property", "add", "dev", twin, "altname", instance)
            for family, nets in (("-4", ("192.0.2.0/24", "10.0.0.0/24")),
                                 ("-6", ("2001:db8:1::/64", "2001:db8:2::/64"))):
                for direction in ("iif", "oif"):
                    self.lb.ip(family, "rule", "add", direction, twin, "table", number)
                for net in nets:
                    self.lb.ip(family, "route", "add", net, "dev", twin, "table", number)
            self.lb.address(twin, f"{FRONT}/24", f"{FRONT6}/64", f"{BACK}/24", f"{BACK6}/64")
