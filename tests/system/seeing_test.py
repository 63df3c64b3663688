#!/usr/bin/python3
"""What an operator can see of packets: recordings of real traffic, replayed."""
import json
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

    def setUp(self):
        wait_until("every server is healthy", lambda: all(
            "healthy" == one["health"].lower().removeprefix("health_")
            for one in self.world.servers_seen().values()))

    def record(self, device):
        """Starts tcpdump on what comes in there."""
        file = self.world.folder / f"{device}.pcap"
        recorder = self.world.process(f"record-{device}", *self.world.lb.command(
            "tcpdump", "-i", device, "-Q", "in", "-s", 0, "-U", "-Z", "root", "-w", file))
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

    def settle(self):
        """Until connections have ended: nothing moves for a while."""
        before = None
        while before != (before := self.live()):
            time.sleep(0.5)

    def test_a_replay_of_what_came_in_is_what_happened(self):
        recorders = [self.record(device) for device in ("front", "back")]
        self.fetch(VIP, CLIENTS[:20])
        self.fetch(VIP6, CLIENTS6[:10])
        self.settle()
        for recorder, _ in recorders:
            recorder.signal(2)
            self.assertEqual(0, recorder.wait(5), recorder.tail())
        live = self.live()
        file = self.world.folder / "configuration.yaml"
        file.write_text(self.configuration)
        sent = self.world.folder / "sent.pcapng"
        report = json.loads(run(
            self.world.program("nezu"), "replay", "-f", file, "-o", "json", "--sent", sent,
            "--link", f"front,address={FRONT}/24,address={FRONT6}/64",
            "--link", f"back,address={BACK}/24,address={BACK6}/64",
            *(f"{device}={recorded}" for device, (_, recorded) in zip(("front", "back"),
                                                                     recorders))))
        self.assertEqual(live, self.counts(report["services"]))
        self.assertEqual({"http4": 20, "http6": 10}, {
            name: one["flows_opened"] for name, one in live.items()})
        self.assertEqual(0, report["dropped"], report)
        self.assertGreater(report["to_kernel"], 0, "answers to health checks")
        for vip, flows in ((VIP, 20), (VIP6, 10)):
            answers = packets_in(sent, "src", "host", vip)
            self.assertEqual(flows, sum("HTTP/1.1 200" in line for line in answers))


if __name__ == "__main__":
    tap.main()
