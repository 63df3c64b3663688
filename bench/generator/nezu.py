"""Nezu as the device between the generator's wires: both programs as they ship, in a namespace.

    with Wires(BUILD) as wires, Nezu(wires) as nezu:
        nezu.start()
        nezu.apply(services("nat"))
        wires.traffic("throughput", *options("nat"), ...)
"""
import pathlib
import shlex
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/system"))
from world import (BACK, BACK6, FRONT, FRONT6, SNAT, SNAT6, UNPRIVILEGED, VIP, VIP6,  # noqa: E402
                   World)

# Played by the generator: on the link of each of Nezu's ports.
CLIENTS, CLIENTS6 = "192.0.2.101-192.0.2.164", "2001:db8:1::1:1-2001:db8:1::1:40"
SERVERS = [f"10.0.0.{number}" for number in (11, 12, 13, 14)]
SERVERS6 = [f"2001:db8:2::{number}" for number in (11, 12, 13, 14)]
PORT = 7  # of echo, which RFC 2544's frames are sent to

# Of clients, of servers: whom clients address, gateways, who is played.
FAMILIES = {
    "ipv4": (VIP, FRONT, CLIENTS, SERVERS, BACK),
    "ipv6": (VIP6, FRONT6, CLIENTS6, SERVERS6, BACK6),
    "ipv4-ipv6": (VIP, FRONT, CLIENTS, SERVERS6, BACK6),
    "ipv6-ipv4": (VIP6, FRONT6, CLIENTS6, SERVERS, BACK),
}


class Nezu(World):
    """`world.folder`, `apply`, `nezu` and so on are the system tests'."""

    def __init__(self, wires, workers=1, flows=131072, sleeps=True, most=4096):
        """most: services, pools and so on that its tables have room for."""
        super().__init__(workers, wires.build, flows)
        self.wires, self.sleeps, self.most = wires, sleeps, most

    def build_network(self):
        self.lb = self.namespace("lb")

    def start(self):
        self.start_controlplane()
        self.start_dataplane()
        self.address_twins()

    def command_line(self):
        """The beginning of what the shell tells it."""
        return shlex.join(map(str, [self.program("nezu"), *self.cli_options]))

    def start_controlplane(self):
        for folder in (self.region_folder, self.state):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, "nobody", "nogroup")
        self.controlplane = self.start_program("controlplane", *self.lb.command(
            *UNPRIVILEGED, self.program("nezu-controlplane"), "--region-dir", self.region_folder,
            "--state-dir", self.state, "--listen", f"unix:{self.socket}",
            *(word for kind in ("services", "pools", "servers", "addresses")
              for word in (f"--max-{kind}", max(self.most, 4096)))))

    def start_dataplane(self, workers=None):
        for side in ("left", "right"):  # of a process that is gone
            (self.wires.folder / f"{side}.sock").unlink(missing_ok=True)
        memory = ["--in-memory"] if self.huge else ["--no-huge", "--no-shconf", "--in-memory"]
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            "taskset", "-c", self.wires.cores[0], self.program("nezu-dataplane"),
            "--port", "name=front,dev=net_memif0", "--port", "name=back,dev=net_memif1",
            "--workers", workers or self.workers, "--region-dir", self.region_folder,
            "--state-dir", self.folder / "dataplane", "--flows", self.flow_limit,
            "--flows6", self.flow_limit, *(["--idle-sleep"] if self.sleeps else []),
            "--", "--no-pci", "--no-telemetry", "-m", 128, *memory,
            *self.wires.vdevs("server", macs=True)))


# Of servers whose failure is to be found out; a host that is starved for seconds has not failed.
CHECK = {"interval_ms": 1500, "timeout_ms": 1500, "rise": 2, "fall": 3}


def services(mode="nat", family="ipv4", protocols=("udp", "tcp"), extra=0, port=PORT, check=None):
    """A service for each protocol on VIP; `extra` further ones of which each has a pool.

    check: TCP checks of the servers so; flows of a failed one end, by a RST where they can.
    """
    address, _, _, servers, _ = FAMILIES[family]
    snat = ", snat_set: snat" if mode == "fullnat" else ""
    failed = {"udp": ", failed_flows: drop", "tcp": ", failed_flows: reset"}
    words = ", ".join(f"{key}: {value}" for key, value in (check or {}).items())
    checks = f"check: {{tcp: {{}}, {words}}}, " if check else ""
    lines = ["services:"]
    for protocol in protocols:
        lines.append(f'- {{name: {protocol}, address: "{address}", port: {port}, '
                     f"protocol: {protocol}, mode: {mode}, pool: {protocol}{snat}"
                     f"{failed[protocol] if check else ''}}}")
    for number in range(extra):
        lines.append(f'- {{name: extra{number}, address: "198.51.{100 + number // 250}.'
                     f'{1 + number % 250}", port: 80, pool: extra{number}}}')
    lines.append("pools:")
    for protocol in protocols:
        members = ", ".join(f'{{address: "{one}", port: {port}}}' for one in servers)
        lines.append(f"- {{name: {protocol}, scheduler: rr, protocol: {protocol}, {checks}"
                     f"servers: [{members}]}}")
    for number in range(extra):
        lines.append(f"- {{name: extra{number}, servers: [{{address: 10.0.1.{1 + number % 250}, "
                     f"port: {1000 + number // 250}}}]}}")
    lines += ["snat_sets:", "- name: snat", f'  addresses: ["{SNAT}", "{SNAT6}"]', ""]
    return "\n".join(lines)


def options(family="ipv4", workers=1):
    """What the generator is told of it: each worker has a queue to send by, the twins another."""
    address, front, clients, servers, back = FAMILIES[family]
    left, right = (f"dev=net_memif{number},queues={workers + 1},gateway={gateway}"
                   for number, gateway in enumerate((front, back)))
    return ["--left", left, "--right", right,
            "--clients", clients, "--servers", f"{servers[0]}-{servers[-1]}", "--to", address,
            "--port", PORT]
