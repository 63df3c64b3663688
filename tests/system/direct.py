"""What tests of direct routing and tunnels share: servers that hold the VIPs, and a way past Nezu.

  client --[front] nezu [back]-- switch -- web1, web2, web3     requests
  client ------- direct ----------- switch                      answers
"""
import pathlib

from namespaces import wait_until, wire
from world import VIP, VIP6

DIRECT, DIRECT6 = "10.0.0.200", "2001:db8:2::200"  # the client's leg in the servers' network
CLIENT_NET, CLIENT_NET6 = "192.0.2.0/24", "2001:db8:1::/64"
PORT = 1007  # of the echo that answers from the VIP itself


def wire_direct(world):
    """The client gets a leg in the servers' network, by which their answers reach it."""
    wire(world.client, "direct", world.switch, "direct")
    world.switch.ip("link", "set", "direct", "master", "bridge")
    world.client.address("direct", f"{DIRECT}/24", f"{DIRECT6}/64")
    for name in ("all", "default", "direct", "eth0"):
        world.client.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)


def hold_vips(server, *more):
    """The VIPs on lo, without a word to anybody who asks for them; answers go past Nezu."""
    space = server.namespace
    space.sysctl("net.ipv4.conf.all.arp_ignore", 1)
    space.sysctl("net.ipv4.conf.all.arp_announce", 2)
    vips = list(dict.fromkeys((VIP, VIP6, *more)))
    space.address("lo", *(f"{vip}/{128 if ':' in vip else 32}" for vip in vips))
    space.ip("route", "replace", CLIENT_NET, "via", DIRECT)
    space.ip("-6", "route", "replace", CLIENT_NET6, "via", DIRECT6)
    server.start_echo_at(PORT, vips)


def take_out_of_tunnels(server, gue_port):
    """A program takes packets out of IPIP, GRE and GUE, as the kernel would that has them."""
    process = server.world.process(f"{server.name}-tunnels", *server.namespace.command(
        "/usr/bin/python3", pathlib.Path(__file__).with_name("decapsulator.py"), "tun0", gue_port))
    wait_until("the tunnels are there", lambda: "ready" in process.log.read_text())
    for name in ("all", "tun0"):
        server.namespace.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
    server.namespace.ip("link", "set", "tun0", "up")
    return process
