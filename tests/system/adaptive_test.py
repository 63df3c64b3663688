#!/usr/bin/python3
"""Weights that follow the servers: agents (socat) say what share of new connections they want, fall
silent and come again; a server that answers its checks slowly gets less."""
import signal

from agent import PORT, Agent
from case import tap
from namespaces import wait_until
from pools import Servers, configuration, pool, service
from world import ECHO, HTTP, NGINX, SERVERS, number, wait_open

AGENT, SLOW = 9000, 9001
# Nothing may be published meanwhile because a busy machine was late.
PATIENT_CHECK = f"{{ http: {{}}, port: {HTTP}, interval_ms: 1000, timeout_ms: 1000, fall: 3 }}"
PAGE = "/page"  # what checks of response times ask for, in bytes:
PAGE_BYTES, SLOW_RATE = 20000, 64000  # a third of a second at this rate, piece by piece


class Follow(Servers):
    workers = 1  # whose turns are exact

    def followed(self, server):
        seen = self.world.servers_seen()[(SERVERS[server][0], ECHO)]
        return seen.get("followed", [{}])[0]

    def shares(self, port, flows):
        """Of so many new connections."""
        client = self.hold(port, flows)
        wait_open(client)
        return dict(self.end(client))

    def generation(self):
        return int(self.world.nezu_json("server", "list")["generation"])

    def revision(self):
        return int(self.world.nezu_json("history")["entries"][0]["revision"])


class Agents(Follow):
    configuration = configuration(
        [service("agent", AGENT)],
        pool("agent", PATIENT_CHECK, "  scheduler: wrr\n  weights: agent\n"
             f"  agent: {{ port: {PORT}, interval_ms: 200 }}\n",
             {server: "" for server in SERVERS}))

    def setUp(self):
        self.agents = {name: Agent(self.world, name) for name in SERVERS}
        for agent in self.agents.values():
            agent.say("ready up 100%")
            agent.start()
        self.addCleanup(lambda: [agent.process.stop() for agent in self.agents.values()])
        self.hears(**{name: "ready up 100%" for name in SERVERS})
        wait_until("all are ready", lambda: set(self.states().values()) == {"READY"}, 10)

    def hears(self, **words):
        for name, line in words.items():
            self.agents[name].say(line)
        wait_until("their words are heard", lambda: all(
            self.followed(name).get("agent") == line and not self.followed(name).get("is_stale")
            for name, line in words.items()), 10)

    def percent(self, server):
        return number(self.followed(server), "percent")

    def test_shares_follow_words(self):
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))
        revision = self.revision()
        self.hears(web1="50%")
        self.assertEqual({"web1": 6, "web2": 12, "web3": 12}, self.shares(AGENT, 30))
        self.hears(web1="up 100%")
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))
        # The operator's weight is what a percentage is of.
        self.world.nezu("set", "weight", f"{SERVERS['web1'][0]}:{ECHO}", "4")
        self.hears(web1="25%")
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))
        self.world.nezu("set", "weight", f"{SERVERS['web1'][0]}:{ECHO}", "1")
        self.assertEqual(revision + 2, self.revision(), "agents write no revision")

    def test_drain_keeps_connections_and_takes_none(self):
        old = self.hold(AGENT, 6)
        wait_open(old)
        self.hears(web1="drain")
        self.assertNotIn("web1", self.shares(AGENT, 10))
        self.hears(web1="up 100%")
        self.assertNotIn("web1", self.shares(AGENT, 10), "only ready ends it")
        self.hears(web1="ready")
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))
        report = self.stop(old)  # each of its connections lived through all of it
        self.assertEqual({"web1", "web2", "web3"}, set(report["servers"]))

    def test_maintenance_and_down(self):
        self.hears(web2="maint")
        self.assertNotIn("web2", self.shares(AGENT, 10))
        self.hears(web2="ready")
        self.hears(web3="down #disk full")
        wait_until("web3 is down", lambda: self.states()["web3"] == "FAILED", 10)
        self.assertEqual({"web1": 5, "web2": 5}, self.shares(AGENT, 10))
        self.hears(web3="up")
        wait_until("web3 is ready", lambda: self.states()["web3"] == "READY", 10)
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))

    def test_a_limit_of_connections(self):
        self.no_flows("agent")
        self.hears(web1="maxconn:3")
        self.assertEqual(3, self.shares(AGENT, 30)["web1"])
        self.hears(web1="maxconn:0")
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))

    def test_a_silent_agent_changes_nothing(self):
        self.hears(web1="50%")
        watch = self.world.process("watch", self.world.program("nezu"), *self.world.cli_options,
                                   "watch")
        wait_until("it tells the share", lambda: "50 % of its weight in agent"
                   in watch.log.read_text(), 10)
        before = self.generation()
        self.agents["web1"].kill()
        wait_until("it is stale", lambda: self.followed("web1").get("is_stale"), 10)
        self.assertEqual("50%", self.followed("web1")["agent"])
        self.assertIn("stale", self.world.nezu("server", "list"))
        self.assertEqual("READY", self.states()["web1"])
        self.assertEqual({"web1": 6, "web2": 12, "web3": 12}, self.shares(AGENT, 30))
        self.assertEqual(before, self.generation())
        wait_until("the alarm tells", lambda: "Agents of some servers are silent"
                   in watch.log.read_text(), 10)
        watch.stop()
        # A control plane that has heard nothing itself goes on with what was published.
        self.world.controlplane.kill()
        self.world.start_controlplane()
        wait_until("it is stale", lambda: self.followed("web1").get("is_stale"), 10)
        self.assertEqual(50, self.percent("web1"))
        self.assertEqual({"web1": 6, "web2": 12, "web3": 12}, self.shares(AGENT, 30))
        self.assertEqual(before, self.generation(), "there was nothing to publish")
        self.agents["web1"].start()
        self.hears(web1="100%")
        self.assertEqual({"web1": 10, "web2": 10, "web3": 10}, self.shares(AGENT, 30))


class Slow(Follow):
    configuration = configuration(
        [service("slow", SLOW)],
        pool("slow", f"{{ http: {{ path: {PAGE} }}, port: {HTTP}, interval_ms: 1000, "
             "timeout_ms: 1000, fall: 3 }",
             "  scheduler: wrr\n  weights: response_time\n  weight_floor_percent: 5\n",
             {server: "" for server in SERVERS}))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.world.folder / "www" / "page").write_bytes(b"n" * PAGE_BYTES)

    def serve(self, server, rate):
        """Its nginx sends the page as fast as this, in bytes a second; 0: as fast as it can."""
        folder = self.world.folder
        text = NGINX.format(folder=folder, name=server)
        text = text.replace("location = /", f"location = {PAGE} {{ output_buffers 1 4k; limit_rate {rate}; }}\n"
                            "    location = /", 1)
        (folder / f"{server}.conf").write_text(text)
        self.world.servers[server].nginx.signal(signal.SIGHUP)

    def percents(self):
        return {name: number(self.followed(name), "percent") for name in SERVERS}

    def test_a_slow_server_gets_less_and_returns(self):
        wait_until("all are measured", lambda: all(
            number(self.followed(name), "response_us") for name in SERVERS), 20)
        wait_until("all are about equal", lambda: min(self.percents().values()) >= 60, 60)
        revision = self.revision()
        self.serve("web3", SLOW_RATE)
        wait_until("web3 has little weight", lambda: self.percents()["web3"] <= 20, 60)
        shares = self.shares(SLOW, 60)
        self.assertLessEqual(1, shares["web3"], f"{shares} {self.percents()}")
        self.assertLess(2 * shares["web3"], min(shares["web1"], shares["web2"]),
                        f"{shares} {self.percents()}")
        self.assertEqual("READY", self.states()["web3"])
        # What was measured is not lost with the control plane.
        self.world.controlplane.kill()
        self.world.start_controlplane()
        self.assertLessEqual(self.percents()["web3"], 20)
        self.serve("web3", 0)
        wait_until("web3 is as good as the others", lambda: self.percents()["web3"] >= 60, 90)
        self.assertGreaterEqual(self.shares(SLOW, 60)["web3"], 10)
        self.assertEqual(revision, self.revision(), "weights that move by themselves write none")


if __name__ == "__main__":
    tap.main()
