#!/usr/bin/python3
"""Programs of different layouts refuse each other; an upgrade to another layout keeps forwarding."""
import json

from agent import PORT, Agent
from case import Case, tap
from namespaces import run, wait_until
from world import ECHO, HTTP, SERVERS, UNPRIVILEGED, VIP, wait_open

CHECKED = """
services:
  - {{name: web, address: {vip}, port: 80, pool: web}}
  - {{name: echo, address: {vip}, port: 7, pool: echo}}
  - {{name: rare, address: {vip}, port: {rare}, pool: rare}}
pools:
  - name: web
    scheduler: wrr
    check: {{http: {{path: /}}, interval_ms: 300, timeout_ms: 300}}
    servers: [{web}]
  - name: echo
    scheduler: rr
    servers: [{echo}]
  - name: rare
    check: {{tcp: {{}}, interval_ms: 3600000, timeout_ms: 300, fall: 1}}
    servers: [{rarely}]
  - name: told
    weights: agent
    agent: {{port: {agent}, interval_ms: 200}}
    servers: [{told}]
"""
RARE = 81  # nothing listens there, and nobody looks again for an hour
TOLD = 82  # servers of which one has an agent


def configuration():
    def listed(port):
        return ", ".join(f"{{address: {address}, port: {port}}}" for address, _ in SERVERS.values())
    return CHECKED.format(vip=VIP, web=listed(HTTP), echo=listed(ECHO), rare=RARE,
                          rarely=listed(RARE), told=listed(TOLD), agent=PORT)


class Upgrade(Case):
    configuration = configuration()

    def next_socket(self):
        return self.world.folder / "next" / "api.sock"

    def start_next_controlplane(self):
        """The new version's, beside the old one: a region, a state and a socket of its own."""
        world, folder = self.world, self.world.folder / "next"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        world.start_program("controlplane-next", *world.lb.command(
            *UNPRIVILEGED, world.program("nezu-controlplane-next"), "--region-dir",
            world.region_folder, "--state-dir", folder, "--listen", f"unix:{self.next_socket()}",
            "--take-over", f"unix:{world.socket}"))

    def start_next_dataplane(self):
        world, program = self.world, self.world.program
        world.program = lambda name: program(f"{name}-next" if name == "nezu-dataplane" else name)
        try:
            world.start_dataplane()
        finally:
            world.program = program

    def next_nezu(self, *words):
        return run(self.world.program("nezu"), "--server", f"unix:{self.next_socket()}", *words)

    def states(self, old=True, port=HTTP):
        """Address -> state of the checked servers, as the old or the new control plane sees it."""
        words = ("server", "list", "--output", "json")
        text = self.world.nezu(*words) if old else self.next_nezu(*words)
        return {one["server"]["address"]: one["state"] for one in json.loads(text)["servers"]
                if int(one["server"]["port"]) == port}

    def rarely_checked(self, old):
        """Whether those servers that are checked once an hour are known to have failed."""
        return all(state.lower().endswith("failed")
                   for state in self.states(old, port=RARE).values())

    def told(self, old):
        """What the agent of web1 has said, as the old or the new control plane knows it."""
        words = ("server", "list", "--pool", "told", "--output", "json")
        text = self.world.nezu(*words) if old else self.next_nezu(*words)
        followed = json.loads(text)["servers"][0]["followed"][0]
        return followed["percent"], followed.get("max_flows"), followed["drains"]

    def wait_for_state(self, server, state, old):
        address = SERVERS[server][0]
        wait_until(f"{server} is {state}",
                   lambda: self.states(old)[address].lower().endswith(state))

    def test_1_another_layout_is_refused_with_a_reason(self):
        world = self.world
        world.dataplane.stop()
        process = world.process("dataplane-next", *world.lb.command(
            world.program("nezu-dataplane-next"),
            "--port", "name=front,dev=net_null0", "--region-dir", world.region_folder,
            "--state-dir", world.folder / "dataplane-next", "--twin-prefix", "nx-",
            "--idle-sleep", "--", "--no-pci", "--no-shconf", "-m", 64, "--no-huge",
            "--vdev", "net_null0"))
        wait_until("it says why", lambda: "other layouts" in process.log.read_text())
        self.assertIn("same version", process.log.read_text())
        process.stop()
        world.start_dataplane()
        # Its twins led nowhere, so that checks failed meanwhile.
        for server in SERVERS:
            self.wait_for_state(server, "ready", old=True)
        self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 1))

    def test_2_an_upgrade_keeps_forwarding_and_health_stays_effective(self):
        world = self.world
        hold = world.traffic("hold", VIP, ECHO, "--interval", 0.2, "--patience", 15)
        wait_open(hold)
        wait_until("the old one has seen who is dead", lambda: self.rarely_checked(old=True))
        agent = Agent(world, "web1")
        agent.say("40% maxconn:9 drain")
        agent.start()
        wait_until("the old one was told", lambda: self.told(old=True) == (40, 9, True))
        agent.kill()
        self.start_next_controlplane()
        # Configuration and health have come over before the old data plane ends.
        self.assertEqual(world.nezu("get"), self.next_nezu("get"))
        self.assertTrue(self.rarely_checked(old=False))
        self.assertEqual((40, 9, True), self.told(old=False))
        # From now on both look after it.
        world.servers["web3"].kill_nginx()
        for old in (True, False):
            self.wait_for_state("web3", "failed", old)
        tables = world.nezu("tables")
        self.assertEqual(2, tables.count("region-"), tables)
        world.dataplane.stop()
        self.start_next_dataplane()
        report = self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 2))
        self.assertEqual({"web1", "web2"}, set(report["servers"]))
        world.controlplane.stop()
        # From here on only the new one decides.
        world.servers["web3"].start_nginx()
        self.wait_for_state("web3", "ready", old=False)
        world.servers["web2"].kill_nginx()
        self.wait_for_state("web2", "failed", old=False)
        report = self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 2))
        self.assertEqual({"web1", "web3"}, set(report["servers"]))
        self.assertEqual(64, len(self.stop(hold)["seen"]))


if __name__ == "__main__":
    tap.main()
