#!/usr/bin/python3
"""Who gets new connections: a strong server returns without a burst, servers that are full, backups,
a stale master, and checks that all fail at once."""
import time

from case import tap
from namespaces import wait_until
from pools import HTTP_CHECK, Servers, configuration, pool, service
from services import FAST_CHECK
from world import ECHO, HTTP, SERVERS, result, wait_open

SLOW_START = 9  # seconds
BURST, FULL, STANDBY, PANIC, RESET, PAIR = 9000, 9001, 9002, 9003, 9004, 9005


class Burst(Servers):
    configuration = configuration(
        [service("burst", BURST)],
        pool("burst", HTTP_CHECK, f"  scheduler: wlc\n  slow_start_s: {SLOW_START}\n",
             {"web1": "", "web2": "", "web3": ", weight: 2"}))

    def test_a_strong_server_returns_without_a_burst(self):
        world = self.world
        wait_until("all are ready", lambda: set(self.states().values()) == {"READY"}, 10)
        time.sleep(SLOW_START)  # some may have been late
        first = self.hold(BURST, 40)
        wait_open(first)
        world.servers["web3"].kill_nginx()
        wait_until("web3 has failed", lambda: "FAILED" in self.states()["web3"], 10)
        spread = self.end(first)
        self.assertEqual(40, sum(spread.values()))
        self.assertLessEqual(abs(spread["web3"] - 20), 2, spread)
        old = self.hold(BURST, 40)
        wait_open(old)
        world.servers["web3"].start_nginx()
        wait_until("web3 is ready", lambda: "READY" in self.states()["web3"], 10)
        returned = time.monotonic()
        early = self.hold(BURST, 20)
        wait_open(early)
        self.assertLess(time.monotonic() - returned, SLOW_START / 3, "too slow to say anything")
        time.sleep(max(0, returned + SLOW_START + 2 - time.monotonic()))
        late = self.hold(BURST, 20)
        wait_open(late)
        spread = self.end(late)
        # By load alone all 20 of the early ones would have been its own.
        self.assertLessEqual(self.end(early)["web3"], 13)
        self.assertGreaterEqual(spread["web3"], 15, spread)
        self.assertEqual(0, self.end(old)["web3"])


class Full(Servers):
    configuration = configuration(
        [service("full", FULL)],
        pool("full", HTTP_CHECK, "  scheduler: rr\n",
             {"web1": ", max_flows: 3", "web2": ", max_flows: 5, resume_flows: 5"}))

    def test_full_servers_refuse_and_take_again(self):
        self.no_flows("full")
        eight = self.hold(FULL, 8)
        wait_open(eight)
        one_more = self.hold(FULL, 1, "--tolerant", "--patience", 2)
        one_more.wait(10)
        self.assertEqual(1, result(one_more)["failed"])
        self.assertIn("servers_full", self.world.say_drops())
        self.assertEqual({"web1": 3, "web2": 5}, dict(self.end(eight)))
        self.no_flows("full")
        again = self.hold(FULL, 1)
        wait_open(again)
        self.end(again)


class Failed(Servers):
    configuration = configuration(
        [service("standby", STANDBY), service("reset", RESET, ", failed_flows: reset")],
        pool("standby", HTTP_CHECK, "", {"web1": "", "web2": "", "web3": ", backup: true"}),
        pool("reset", HTTP_CHECK, "  scheduler: rr\n", {"web1": "", "web2": ""}))

    def test_a_backup_serves_while_nobody_else_does(self):
        world = self.world
        before = self.hold(STANDBY, 6)
        wait_open(before)
        self.assertNotIn("web3", self.end(before))
        for name in ("web1", "web2"):
            world.servers[name].kill_nginx()
        wait_until("both have failed", lambda: all("FAILED" in self.states()[name]
                                                   for name in ("web1", "web2")), 10)
        meanwhile = self.hold(STANDBY, 6)
        wait_open(meanwhile)
        for name in ("web1", "web2"):
            world.servers[name].start_nginx()
        wait_until("both are ready", lambda: all("READY" in self.states()[name]
                                                 for name in ("web1", "web2")), 10)
        after = self.hold(STANDBY, 6)
        wait_open(after)
        self.assertEqual({"web3": 6}, dict(self.end(meanwhile)))
        self.assertNotIn("web3", self.end(after))

    def test_connections_of_a_failed_server_are_reset_where_its_service_says_so(self):
        world = self.world
        told = self.hold(RESET, 8, "--tolerant")
        kept = self.hold(STANDBY, 8)
        wait_open(told, kept)
        world.servers["web1"].kill_nginx()
        wait_until("web1 has failed", lambda: "FAILED" in self.states()["web1"], 10)
        time.sleep(2)
        world.servers["web1"].start_nginx()
        wait_until("web1 is ready", lambda: "READY" in self.states()["web1"], 10)
        told.stop()
        report = result(told)
        self.assertEqual(4, report["failed"], "those of web1, and no other")
        self.assertTrue(all("Reset" in text for text in report["failures"]), report["failures"])
        self.fine(kept, 0)


class Pair(Servers):
    """Two nodes of which one must serve: whoever has failed comes back by an operator's word alone."""
    configuration = configuration(
        [service("pair", PAIR, ", failed_flows: reset")],
        pool("pair", FAST_CHECK.format(kind=f"http: {{}}, port: {HTTP}, manual_return: true"), "",
             {"web1": "", "web2": ", backup: true"}))

    def serving(self):
        """Who gets new connections."""
        client = self.hold(PAIR, 4)
        wait_open(client)
        return set(self.end(client))

    def healths(self):
        seen = self.world.servers_seen()
        return {seen[(SERVERS[name][0], ECHO)]["health"].upper().removeprefix("HEALTH_")
                for name in ("web1", "web2")}

    def awaits_return(self):
        return self.world.servers_seen()[(SERVERS["web1"][0], ECHO)].get("awaits_return", False)

    def test_a_stale_master_stays_out_until_it_is_let(self):
        world, master = self.world, f"{SERVERS['web1'][0]}:{ECHO}"
        # Ready is also who was not checked yet; who was never good waits for nobody.
        wait_until("both are healthy", lambda: self.healths() == {"HEALTHY"}, 10)
        self.assertEqual({"web1"}, self.serving())
        world.servers["web1"].kill_nginx()
        wait_until("web1 has failed", lambda: "FAILED" in self.states()["web1"], 10)
        self.assertEqual({"web2"}, self.serving())
        self.assertIn("not good yet", world.nezu("server", "return", master, check=False).stderr)
        world.servers["web1"].start_nginx()
        wait_until("web1 waits", self.awaits_return, 10)
        self.assertEqual({"web2"}, self.serving())
        world.controlplane.kill()  # whoever decides anew knows it, too
        world.start_controlplane()
        wait_until("web1 waits", self.awaits_return, 10)
        self.assertEqual({"web2"}, self.serving())
        self.assertIn("may take new flows again", world.nezu("server", "return", master))
        wait_until("web1 is ready", lambda: self.states()["web1"] == "READY", 10)
        self.assertEqual({"web1"}, self.serving())


class Panic(Servers):
    """Every check of a pool fails, and every server works."""
    configuration = configuration(
        [service("panic", PANIC), service("doubt", STANDBY)],
        pool("panic", FAST_CHECK.format(kind="tcp: {}, port: 9"), "  panic_percent: 50\n",
             {server: "" for server in SERVERS}),
        pool("doubt", FAST_CHECK.format(kind="tcp: {}, port: 9"), "",
             {server: "" for server in SERVERS}))

    def test_checks_are_not_believed_when_all_fail(self):
        world = self.world
        watch = world.process("watch", world.program("nezu"), *world.cli_options, "watch")
        wait_until("the alarm tells", lambda: "Pool panic has fewer than 50 % healthy servers"
                   in watch.log.read_text(), 15)
        watch.stop()
        served = self.hold(PANIC, 12)
        wait_open(served)
        self.assertEqual(set(SERVERS), set(self.end(served)))
        refused = self.hold(STANDBY, 1, "--tolerant")
        refused.wait(10)
        self.assertEqual(1, result(refused)["failed"])


if __name__ == "__main__":
    tap.main()
