#!/usr/bin/python3
"""What an operator can see of packets: recordings of real traffic, replayed; captures of the
running data plane."""
import collections
import json
import signal
import time

from case import Case, tap
from namespaces import run, wait_until
from services import configuration, pool, service
from world import BACK, BACK6, CLIENTS, CLIENTS6, FRONT, FRONT6, HTTP, VIP, VIP6, number


def hashed():
    """By hash: a replay chooses the servers that were chosen."""
    services, pools = [], []
    for family in (0, 1):
        name = f"http{(4, 6)[family]}"
        pools.append(pool(name, HTTP, family, scheduler="mh", check="http: {}"))
        services.append(service(name, name, HTTP, family))
    return configuration(services, pools)


def packets_in(file, *expression):
    """As tcpdump reads them, one a line."""
    return run("tcpdump", "-nn", "-r", file, *expression).splitlines()


class Seeing(Case):
    configuration = hashed()
    workers = 2

    def setUp(self):
        wait_until("every server is healthy", lambda: all(
            "healthy" == one["health"].lower().removeprefix("health_")
            for one in self.world.servers_seen().values()))

    def record(self, device):
        """Starts tcpdump on what comes in there."""
        file = self.world.folder / f"{device}.pcap"
        recorder = self.world.process(f"record-{device}", *self.world.lb.command(
            "tcpdump", "-i", device, "-Q", "in", "-s", 0, "-U", "--immediate-mode", "-Z", "root",
            "-w", file))
        wait_until("tcpdump listens", lambda: "listening on" in recorder.log.read_text())
        return recorder, file

    def fetch(self, vip, sources):
        host = f"[{vip}]" if ":" in vip else vip
        for source in sources:
            self.world.client.run("curl", "-sgf", "--max-time", 5, "--interface", source,
                                  f"http://{host}/")

    def counts(self, reading):
        """Of each service: flows and packets."""
        return {one["name"]: {key: number(one, key) for key in (
            "flows_opened", "packets_to_server", "packets_to_client")} for one in reading}

    def live(self):
        return self.counts([{"name": one["name"], **one["counters"]}
                            for one in self.world.statistics()["services"]])

    def since(self, earlier):
        return {name: {key: value - earlier[name][key] for key, value in one.items()}
                for name, one in self.live().items()}

    def settle(self):
        """Until connections have ended: nothing moves for a while."""
        before = None
        while before != (before := self.live()):
            time.sleep(0.5)

    def test_a_replay_of_what_came_in_is_what_happened(self):
        earlier = self.live()
        recorders = [self.record(device) for device in ("front", "back")]
        self.fetch(VIP, CLIENTS[:20])
        self.fetch(VIP6, CLIENTS6[:10])
        self.settle()
        for recorder, _ in recorders:
            recorder.signal(2)
            self.assertEqual(0, recorder.wait(5), recorder.tail())
        happened = self.since(earlier)
        file = self.world.folder / "configuration.yaml"
        file.write_text(self.configuration)
        sent = self.world.folder / "sent.pcapng"
        report = json.loads(run(
            self.world.program("nezu"), "replay", "-f", file, "-o", "json", "--sent", sent,
            "--link", f"front,address={FRONT}/24,address={FRONT6}/64",
            "--link", f"back,address={BACK}/24,address={BACK6}/64",
            *(f"{device}={recorded}" for device, (_, recorded) in zip(("front", "back"),
                                                                     recorders))))
        self.assertEqual(happened, self.counts(report["services"]))
        self.assertEqual({"http4": 20, "http6": 10}, {
            name: one["flows_opened"] for name, one in happened.items()})
        self.assertEqual(0, report["dropped"], report)
        self.assertGreater(report["to_kernel"], 0, "answers to health checks")
        for vip, flows in ((VIP, 20), (VIP6, 10)):
            answers = packets_in(sent, "src", "host", vip)
            self.assertEqual(flows, sum("HTTP/1.1 200" in line for line in answers))

    # --- explain --------------------------------------------------------------------------------

    def explained(self, *words):
        return self.world.nezu_json("explain", *words)

    def test_what_is_explained_is_what_happens(self):
        """By hash: the server, the port and the way of a connection that is made afterwards."""
        for client, vip in ((CLIENTS[60], VIP), (CLIENTS6[20], VIP6)):
            host = f"[{vip}]" if ":" in vip else vip
            local = f"[{client}]" if ":" in client else client
            source = f"{local}:45000"
            earlier, reading = self.live(), self.world.statistics()
            told = self.explained("--port", "front", "tcp", source, f"{host}:80")
            self.assertEqual("forwarded", told["fate"], told)
            self.assertEqual("opened", told["origin"], told)
            self.assertEqual("back", told["egress"])
            again = self.explained("--port", "front", "tcp", source, f"{host}:80")
            self.assertEqual(told["frame"], again["frame"])
            cut = self.explained("--port", "back", "--frame", "0" * 12 + told["frame"][12:32])
            self.assertEqual("parse", cut["decided"])
            self.assertIn("_truncated", cut["reason"])
            self.assertEqual(earlier, self.live(), "explaining is not counted")
            self.assertEqual([one.get("flows_opened") for one in reading["workers"]],
                             [one.get("flows_opened")
                              for one in self.world.statistics()["workers"]])
            self.world.client.run("curl", "-sgf", "--max-time", 5, "--interface", client,
                                  "--local-port", 45000, f"http://{host}/")
            flow = [one for one in self.world.flows(told["service"])
                    if one["client"] == client and number(one, "client_port") == 45000]
            self.assertEqual(1, len(flow))
            for field in ("server", "server_port", "worker"):
                self.assertEqual(told["flow"].get(field), flow[0].get(field), field)
            known = self.explained("--port", "front", "--flags", "ack", "tcp", source, f"{host}:80")
            self.assertEqual("known", known["origin"], known)
            self.assertEqual(flow[0]["server"], known["flow"]["server"])

    def test_explanations_say_why_not(self):
        say = lambda *words: self.world.nezu("explain", "--port", "front", *words)  # noqa: E731
        client = f"{CLIENTS[61]}:5000"
        self.assertIn("service_unknown: for a VIP, but no service for this protocol, port, client",
                      say("tcp", client, f"{VIP}:4711"))
        self.assertIn("tcp_without_flow", say("tcp", client, f"{VIP}:80", "--flags", "ack"))
        self.assertIn("vlan_unknown", say("tcp", client, f"{VIP}:80", "--vlan", 77))
        self.assertIn("answered: ", say("icmp", CLIENTS[61], VIP))
        self.assertIn("mac_other", say("tcp", client, f"{VIP}:80", "--mac", "02:00:00:00:99:99"))
        self.assertIn("ethernet", say("--frame", "00" * 12 + "8100"))
        self.assertIn("by mh,", say("tcp", client, f"{VIP}:80"))
        for wrong in (("--port", "side", "tcp", client, f"{VIP}:80"),
                      ("--port", "front", "--frame", "00"),
                      ("--port", "front", "--frame", "00" * 2049)):
            refused = self.world.nezu("explain", *wrong, check=False)
            self.assertEqual(1, refused.returncode, refused.stderr)
        self.assertEqual(2, self.world.nezu("explain", "--port", "front", "tcp", client, VIP,
                                            check=False).returncode)

    def test_a_captured_packet_is_explained(self):
        capture, file = self.world.capture("one", "--before", "-c", 1, "syn", "and", "dst", "host",
                                           VIP, "and", "src", "host", CLIENTS[62])
        self.fetch(VIP, CLIENTS[62:63])
        self.assertEqual(0, capture.wait(10), capture.tail())
        told = self.explained("--port", "front", "--pcap", file)
        self.assertEqual("http4", told["service"])
        refused = self.world.nezu("explain", "--port", "front", "--pcap", file, "--packet", 2,
                                  check=False)
        self.assertIn("there are 1 packets", refused.stderr)

    def test_without_data_plane_nothing_is_explained_and_then_again(self):
        words = ("explain", "--port", "front", "tcp", f"{CLIENTS[63]}:1", f"{VIP}:80")
        self.world.dataplane.kill()
        wait_until("nobody explains", lambda: self.world.nezu(*words, check=False).returncode == 3)
        self.assertIn("No data plane", self.world.nezu(*words, check=False).stderr)
        self.world.start_dataplane()
        wait_until("somebody explains", lambda: self.world.nezu(*words, check=False).returncode == 0)

    # --- capture --------------------------------------------------------------------------------

    def end(self, process):
        process.signal(signal.SIGINT)
        self.assertEqual(0, process.wait(5), process.tail())

    def counter(self, name):
        return sum(number(one, name) for one in self.world.statistics()["workers"])

    def test_a_capture_has_every_packet_once_as_tcpdump_reads_it(self):
        recorder, recorded = self.record("front")
        before, came = self.world.capture("before", "--before", "tcp", "port", 80)
        self.fetch(VIP, CLIENTS[:20])
        self.fetch(VIP6, CLIENTS6[:10])
        self.settle()
        self.end(before)
        recorder.signal(signal.SIGINT)
        recorder.wait(5)
        # Health checks ask the same port, by the other port of ours.
        for family, vip in (("ip", VIP), ("ip6", VIP6)):
            seen, captured = (sorted(line.split(" ", 1)[1] for line in packets_in(
                file, family, "dst", "host", vip)) for file in (recorded, came))
            self.assertEqual(seen, captured)
            self.assertGreater(len(captured), 50)
        self.assertIn("packets captured", before.log.read_text())
        self.assertGreater(self.counter("handed_over"), 0)
        self.assertEqual(0, self.counter("capture_passed_over"))
        self.assertEqual(0, self.counter("capture_not_looked_at"))

    def test_a_capture_replayed_is_what_happened(self):
        earlier = self.live()
        capture, file = self.world.capture("replayed", "--before")
        self.fetch(VIP, CLIENTS[20:40])
        self.fetch(VIP6, CLIENTS6[10:20])
        self.settle()
        self.end(capture)
        happened = self.since(earlier)
        configuration_file = self.world.folder / "configuration.yaml"
        configuration_file.write_text(self.configuration)
        report = json.loads(run(
            self.world.program("nezu"), "replay", "-f", configuration_file, "-o", "json",
            "--link", f"front,address={FRONT}/24,address={FRONT6}/64",
            "--link", f"back,address={BACK}/24,address={BACK6}/64", file))
        self.assertEqual(happened, self.counts(report["services"]))
        self.assertEqual({"http4": 20, "http6": 10}, {
            name: one["flows_opened"] for name, one in happened.items()})
        for port in report["ports"]:
            self.assertGreater(port["received"], 0, port)

    def test_a_filter_follows_a_client_to_its_server_and_back(self):
        client = CLIENTS[41]
        capture, file = self.world.capture("followed", "--before", "--after", f"host {client} and tcp")
        self.fetch(VIP, CLIENTS[40:43])
        self.settle()
        self.end(capture)
        sides = collections.Counter()
        for line in packets_in(file):
            source, destination = line.split(" IP ", 1)[1].split(": ", 1)[0].split(" > ")
            ends = {end.rsplit(".", 1)[0] for end in (source, destination)}
            self.assertIn(client, ends, line)
            sides["front" if VIP in ends else "back"] += 1
        self.assertEqual(sides["front"], sides["back"], "each packet as it came and as it left")
        self.assertGreater(sides["front"], 8)

    def test_drops_are_shown_with_their_reason(self):
        capture = self.world.process(
            "drops", self.world.program("nezu"), *self.world.cli_options, "capture", "--drops",
            "-c", 3, "--seconds", 20, "host", CLIENTS[50], "and", "port", 4711)
        wait_until("a packet is shown", lambda: (
            self.world.client.run("curl", "-s", "--max-time", 1, "--interface", CLIENTS[50],
                                  f"http://{VIP}:4711/", check=False)
            and "service_unknown" in capture.log.read_text()), 20, 0.2)
        wait_until("three are", lambda: (
            self.world.client.run("curl", "-s", "--max-time", 1, "--interface", CLIENTS[50],
                                  f"http://{VIP}:4711/", check=False) and not capture.alive()), 20)
        text = capture.log.read_text()
        self.assertEqual(0, capture.wait(5), text)
        self.assertEqual(3, text.count("service_unknown"), text)
        self.assertIn(f"front drop  ipv4 {CLIENTS[50]} > {VIP}", text)
        self.assertIn("3 packets captured", text)

    def test_it_can_be_piped_into_tcpdump(self):
        words = " ".join(map(str, (self.world.program("nezu"), *self.world.cli_options)))
        reader = self.world.process("piped", "sh", "-c", (
            f"{words} capture -w - --after -c 5 service http4 | tcpdump -nn -r -"))
        wait_until("five packets have come", lambda: (
            self.fetch(VIP, CLIENTS[:1]) or not reader.alive()), 20, 0.2)
        self.assertEqual(0, reader.wait(5), reader.tail())
        self.assertEqual(5, sum("IP " in line and " > " in line
                                for line in reader.log.read_text().splitlines()), reader.tail())

    def test_one_at_a_time_and_mistakes_are_told(self):
        nezu = lambda *words: self.world.nezu("capture", *words, check=False)  # noqa: E731
        first, _ = self.world.capture("first", "arp")
        refused = nezu("--seconds", 1, "tcp")
        self.assertEqual(1, refused.returncode, refused.stderr)
        self.assertIn("Another capture is running", refused.stderr)
        self.end(first)
        wait_until("there is room for another", lambda: nezu("--seconds", 1).returncode == 0)
        wrong = nezu("tcp and prot 80")
        self.assertEqual(1, wrong.returncode)
        self.assertIn("Column 9", wrong.stderr)
        self.assertEqual(1, nezu("service", "nobody").returncode)
        self.assertEqual(0, nezu("--seconds", 1, "service", "http4", "or", "interface",
                                 "back").returncode)

    def test_nobody_captures_when_the_control_plane_has_died(self):
        capture, file = self.world.capture("orphan", "--before", "--after")
        self.fetch(VIP, CLIENTS[:5])
        wait_until("packets were captured", lambda: len(packets_in(file, "dst", "host", VIP)) > 5)
        self.world.controlplane.kill()
        self.assertEqual(3, capture.wait(10), capture.tail())
        self.assertGreater(len(packets_in(file)), 5, "what was written is whole")
        time.sleep(2.5)  # the lease
        self.world.start_controlplane()
        wait_until("the control plane answers", lambda: self.world.nezu(
            "stats", check=False).returncode == 0)
        stopped = self.counter("captured")
        self.assertGreater(stopped, 0)
        self.fetch(VIP, CLIENTS[:5])
        self.assertEqual(stopped, self.counter("captured"))


if __name__ == "__main__":
    tap.main()
