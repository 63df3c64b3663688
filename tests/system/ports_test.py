#!/usr/bin/python3
"""Ports as operators have them: long frames, several queues, a link that goes, a driver of their own."""
import glob
import os
import pathlib
import re
import shutil
import signal
import unittest

from case import Case, tap
from namespaces import Failure, Namespace, Process, run, wait_until
from services import SHIFT
from world import ECHO, FRONT, FRONT6, HTTP, VIP, VIP6, World, number

MTU = 9000


class WithPorts(World):
    """As World, on other devices."""
    devices = {"front": "net_af_packet0,iface=front", "back": "net_af_packet1,iface=back"}
    port_options = ""

    def start_dataplane(self, workers=None):
        memory = ["--in-memory"] if self.huge else ["--no-huge", "--no-shconf"]
        ports, devices = [], []
        for name, device in self.devices.items():
            ports += ["--port", f"name={name},dev={device.split(',')[0]}{self.port_options}"]
            devices += ["--vdev", device]
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            self.program("nezu-dataplane"), *ports, "--workers", workers or self.workers,
            "--region-dir", self.region_folder, "--state-dir", self.folder / "dataplane",
            "--flows", self.flow_limit, "--flows6", self.flow_limit, "--buffers", 8191,
            "--idle-sleep", "--", "--no-pci", "-m", 256, *memory, *devices))


class LongWorld(WithPorts):
    """Everything takes 9,000 bytes; the ports (libpcap) receive into buffers of 2,048."""
    devices = {"front": "net_pcap0,rx_iface_in=front,tx_iface=front",
               "back": "net_pcap1,rx_iface_in=back,tx_iface=back"}
    port_options = f",mtu={MTU}"

    def start(self):
        wires = [(self.client, "eth0"), (self.lb, "front"), (self.lb, "back"),
                 (self.switch, "lb"), (self.switch, "bridge")]
        for name, server in self.servers.items():
            wires += [(server.namespace, "eth0"), (self.switch, name)]
        for namespace, device in wires:
            namespace.ip("link", "set", device, "mtu", MTU)
        super().start()


class PcapWorld(WithPorts):
    """libpcap hands out what came in; a fanout of af_packet puts fragments of IPv4 together."""
    devices = LongWorld.devices


class PortCase(Case):
    world_type = WithPorts

    @classmethod
    def setUpClass(cls):
        cls.world = cls.world_type(cls.workers, flows=cls.flows).__enter__()
        cls.addClassCleanup(cls.world.close)
        try:
            cls.world.start()
            cls.world.apply(cls.configuration)
        except Exception:
            print(cls.world.explain())
            raise

    def log(self):
        return self.world.dataplane.log.read_text()


class Fragments(PortCase):
    """Datagrams of 4,000 bytes: the kernels of clients and servers send each in three pieces."""
    world_type = PcapWorld
    workers = 2

    def long_datagrams(self, vip, mode):
        def sum_of(field):
            return sum(number(worker, field) for worker in self.world.statistics()["workers"])
        received, handed_over = sum_of("received"), sum_of("handed_over")
        report = self.fine(self.world.traffic(
            "ask", vip, ECHO + SHIFT[mode], "--interval", 0.1, "--flows", 96, "--seconds", 3,
            "--size", 4000))
        self.assertGreater(report["answers"], 96 * 2)
        received = sum_of("received") - received
        self.assertGreaterEqual(received, 6 * report["answers"])
        # Homes of trains are spread, and so are the owners of flows.
        self.assertGreater(sum_of("handed_over") - handed_over, received / 2)
        # What the capture itself loses on a busy machine leaves pieces behind that wait in vain.
        drops = self.world.drops()
        lost = sum(packets for reason, packets in drops.items() if reason.startswith("fragment"))
        self.assertLess(lost, received / 100, drops)

    def test_nat_ipv4(self):
        self.long_datagrams(VIP, "nat")

    def test_fullnat_ipv4(self):
        self.long_datagrams(VIP, "fullnat")

    def test_nat_ipv6(self):
        self.long_datagrams(VIP6, "nat")

    def test_fullnat_ipv6(self):
        self.long_datagrams(VIP6, "fullnat")


class LongFrames(PortCase):
    world_type = LongWorld
    workers = 2

    def echo(self, vip, mode, length):
        """One datagram of that many bytes there and back, in one frame."""
        script = ("import socket, sys\n"
                  "s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET,"
                  " socket.SOCK_DGRAM)\n"
                  "s.settimeout(3)\n"
                  "text = bytes(65 + i * 7 % 26 for i in range(int(sys.argv[3])))\n"
                  "for i in range(3):\n"
                  "  s.sendto(text, (sys.argv[1], int(sys.argv[2])))\n"
                  "  try: answer = s.recv(20000)\n"
                  "  except TimeoutError: continue\n"
                  "  assert answer.endswith(text), answer[:60]\n"
                  "  print(len(answer)); break\n")
        said = self.world.client.run("/usr/bin/python3", "-c", script, vip, ECHO + SHIFT[mode],
                                     length)
        self.assertGreater(int(said or 0), length)

    def test_the_port_says_how(self):
        lines = [line for line in self.log().splitlines() if " is net_pcap" in line]
        self.assertEqual(2, len(lines))
        for line in lines:
            self.assertIn("MTU 9000", line)
            self.assertIn("long frames come in parts and are joined to be sent", line)

    def test_datagrams(self):
        for vip in (VIP, VIP6):
            for mode in SHIFT:
                for length in (1000, 2030, 4100, 8800):
                    self.echo(vip, mode, length)

    def test_ping_of_the_twin(self):
        for address in (FRONT, FRONT6):
            self.world.client.run("ping", "-c", 3, "-i", 0.2, "-W", 2, "-s", 8000, address)

    def test_a_capture_has_long_frames_whole(self):
        """Their parts are put together, as they come and as they leave."""
        capture, file = self.world.capture("long", "--before", "--after", "udp")
        length = 8800
        self.echo(VIP, "nat", length)
        text = bytes(65 + i * 7 % 26 for i in range(length))
        wait_until("all four are there", lambda: file.read_bytes().count(text) >= 4)
        capture.signal(signal.SIGINT)
        self.assertEqual(0, capture.wait(5), capture.tail())
        seen = run("tcpdump", "-nn", "-r", file, "greater", length).splitlines()
        self.assertEqual(len(seen), file.read_bytes().count(text))
        self.assertEqual(0, len(seen) % 4, seen)

    def test_bulk(self):
        """TCP by segments of 9,000 bytes: fewer packets than 1,500 would need."""
        before = sum(number(one, "sent") for one in self.world.statistics()["workers"])
        size = 0
        for vip in (VIP, VIP6):
            fetched = self.world.client.run(
                "curl", "-sS", "--max-time", 20, "-o", "/dev/null", "-w", "%{size_download}",
                f"http://{'[' + vip + ']' if ':' in vip else vip}:{HTTP}/large")
            size += int(fetched)
        self.assertEqual(2 << 20, size)
        sent = sum(number(one, "sent") for one in self.world.statistics()["workers"]) - before
        self.assertLess(sent, 2 * size / 1448)


class SeveralQueues(PortCase):
    """The kernel spreads over two queues of each device: both are read, each by one worker."""
    workers = 2

    class world_type(WithPorts):
        devices = {"front": "net_af_packet0,iface=front,qpairs=2",
                   "back": "net_af_packet1,iface=back,qpairs=2"}

    def test_all_queues_are_served_in_short_turns(self):
        self.assertEqual(2, self.log().count("queues: 2 to receive, 2 to send"), self.log())
        report = self.fine(self.world.traffic("ask", VIP, ECHO, "--flows", 96, "--seconds", 3,
                                              "--interval", 0.1))
        self.assertGreater(report["answers"], 96 * 2)
        for worker in self.world.statistics()["workers"]:
            self.assertGreater(number(worker, "received"), 100, worker)
        # At its end a worker says how long its turns were.
        self.world.dataplane.stop()
        turns = re.findall(r"worker \d: (\d+) turns, the longest took ([\d.]+) us", self.log())
        self.assertEqual(2, len(turns), self.log())
        for count, longest in turns:
            self.assertGreater(int(count), 100)
            self.assertGreater(float(longest), 0)


class Link(PortCase):
    def test_without_a_link_packets_end_by_name(self):
        world = self.world
        client = world.traffic("ask", VIP, ECHO, "--interval", 0.05, "--flows", 32, "--tolerant",
                               "--patience", 30, "--seconds", 12)
        wait_until("all flows are open", lambda: "all flows are open" in client.log.read_text())
        self.assertNotIn("port_down", self.world.drops())
        world.switch.ip("link", "set", "lb", "down")
        wait_until("packets end for want of a link", lambda: self.world.drops().get("port_down", 0) > 10)
        drops, file = world.capture("no-link", "--drops", "-c", 5, "--seconds", 10, "reason", "port_down")
        self.assertEqual(0, drops.wait(12), drops.tail())
        self.assertEqual(5, len(run("tcpdump", "-nn", "-r", file, "udp").splitlines()))
        state = {one["name"]: one for one in world.statistics()["ports"]}
        self.assertFalse(state["back"].get("link_up", False), state)
        world.switch.ip("link", "set", "lb", "up")
        report = self.fine(client)
        self.assertGreater(report["answers"], 32)
        before = self.world.drops()["port_down"]
        self.fine(world.traffic("ask", VIP, ECHO, "--flows", 16, "--seconds", 1))
        self.assertEqual(before, self.world.drops()["port_down"], "the link is there again")


class OwnDriver(unittest.TestCase):
    """A port of a driver that only `-d` names: DPDK's own folder of drivers is hidden."""

    def setUp(self):
        folders = glob.glob("/usr/lib/*/dpdk/pmds-*")
        if not folders:
            raise Failure("no folder of DPDK's drivers")
        self.drivers = folders[0]
        self.lb = Namespace("driver")
        self.addCleanup(self.lb.delete)
        self.folder = pathlib.Path(f"/run/nezu-driver-{os.getpid()}")  # EAL refuses /tmp
        self.folder.mkdir()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, *drivers):
        """The data plane in a mount namespace where that folder is empty."""
        build = pathlib.Path(os.environ.get("NEZU_BUILD", "build")).resolve()
        program = next(path for path in build.rglob("nezu-dataplane")
                       if path.is_file() and os.access(path, 1))
        words = [word for driver in drivers for word in ("-d", self.folder / driver)]
        return Process("dataplane", self.lb.command(
            "unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs none {self.drivers} && exec "$@"', "sh", program,
            "--port", "name=own,dev=net_null7", "--region-dir", self.folder,
            "--state-dir", self.folder, "--idle-sleep", "--", "--no-pci", "--no-huge",
            "--no-shconf", "-m", 128, *words, "--vdev", "net_null7"),
            self.folder / f"{len(drivers)}.log")

    def test_a_driver_by_its_path(self):
        # What the driver needs lies in that folder as well: given first.
        needed = [f"librte_{name}.so.23" for name in
                  ("bus_pci", "bus_vdev", "mempool_ring", "net_null")]
        for name in needed:
            (self.folder / name).write_bytes((pathlib.Path(self.drivers) / name).read_bytes())
        without = self.start(*needed[:3])
        self.assertNotEqual(0, without.wait(20), "the driver's folder was not hidden")
        self.assertIn("net_null7", without.log.read_text())
        process = self.start(*needed)
        self.addCleanup(process.kill)
        wait_until("the port is there",
                   lambda: "port own is net_null7" in process.log.read_text(), 20)
        self.assertTrue(process.alive(), process.tail())
        self.assertEqual(0, process.stop(), process.tail())


if __name__ == "__main__":
    tap.main()
