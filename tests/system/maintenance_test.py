#!/usr/bin/python3
"""What an operator does to servers that are in use, each way with the commands of
deploy/maintenance.md: one after another is stopped and comes back, all of them are gone for a while,
and everything gets other addresses. No connection is cut."""
import collections
import json
import signal
import time

from case import tap
from namespaces import wait_until
from pools import Servers, configuration, pool, service
from world import BACK, ECHO, HTTP, NGINX, SERVERS, VIP, Server, number, result, wait_open

SHOP, API, STRICT = 9000, 9001, 9002
CHECK = "{{ {kind}, interval_ms: 1000, timeout_ms: 1000, rise: 2, fall: 3 }}"
IN_TURN = "  scheduler: rr\n"
FOURTH = ("web4", ("10.0.0.14", "2001:db8:2::14"))


class Watched(Servers):
    def watch(self):
        return self.world.process("watch", self.world.program("nezu"), *self.world.cli_options,
                                  "watch", "--output", "json")

    def events(self, watch):
        """What it told so far."""
        lines = watch.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def turns(self, watch):
        """Address of each server -> the states that it went through."""
        states = collections.defaultdict(list)
        for event in self.events(watch):
            if "server" in event:
                server = event["server"]
                seen = states[server["server"]["address"]]
                if seen[-1:] != [server["state"]]:
                    seen.append(server["state"])
        return dict(states)

    def server(self, address, port=ECHO):
        return self.world.servers_seen()[(address, port)]


class Rolling(Watched):
    """Four nginx, of which each is stopped and started anew while clients are at work."""
    workers = 2
    configuration = "\n".join(
        ["services:", f"- {{ name: web, address: {VIP}, port: {HTTP}, pool: web }}", "pools:",
         "- name: web", f"  check: {CHECK.format(kind='http: {}')}", "  servers:",
         *(f"  - {{ address: {address}, port: {HTTP} }}"
           for address, _ in [*SERVERS.values(), FOURTH[1]]), ""])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        name, addresses = FOURTH
        cls.world.servers[name] = Server(cls.world, name, addresses)
        cls.world.servers[name].start()

    def limit_requests(self, server):
        """What every server must do that is to get empty: end connections after some requests."""
        file = self.world.folder / f"{server.name}.conf"
        text = NGINX.format(folder=self.world.folder, name=server.name)
        file.write_text(text.replace("server {", "keepalive_requests 100;\n  server {", 1))
        server.nginx.signal(signal.SIGHUP)

    def opened(self, address):
        for line in self.world.statistics()["servers"]:
            if line["server"]["address"] == address:
                return number(line["counters"], "flows_opened")
        return 0

    def maintain(self, server):
        world, name = self.world, f"{server.address}:{HTTP}"
        began = time.monotonic()
        world.nezu("drain", name, "--deadline", "60s", "--wait")
        self.assertLess(time.monotonic() - began, 55, "the deadline has cut connections")
        server.nginx.signal(signal.SIGQUIT)  # as systemctl stop nginx does
        server.nginx.wait(20)
        wait_until("its check has failed", lambda: "failed" == self.server(
            server.address, HTTP)["state"], 20)
        server.start_nginx()
        self.limit_requests(server)
        wait_until("it is good again", lambda: "healthy" == self.server(
            server.address, HTTP)["health"], 20)
        before = self.opened(server.address)
        world.nezu("set", "state", name, "ready")
        wait_until("it is used again", lambda: self.opened(server.address) > before + 5, 20)

    def test_no_request_fails_while_each_server_is_stopped_in_turn(self):
        world = self.world
        for server in world.servers.values():
            self.limit_requests(server)
        wait_until("all are healthy", lambda: all(self.server(
            server.address, HTTP)["health"] == "healthy" for server in world.servers.values()), 20)
        watch = self.watch()
        load = world.process("wrk", *world.client.command(
            "wrk", "-t1", "-c16", "-d600s", "--timeout", "10s", f"http://{VIP}/"))
        strict = world.traffic("browse", VIP, HTTP, "--flows", 16, "--interval", 0.02)
        for server in world.servers.values():
            self.maintain(server)
        self.assertTrue(strict.alive(), strict.tail())
        report = self.stop(strict)
        load.signal(signal.SIGINT)  # it says what it has seen
        load.wait(20)
        said = load.log.read_text()
        self.assertIn("requests in", said)
        self.assertNotIn("Socket errors", said)
        self.assertNotIn("Non-2xx", said)
        self.assertEqual({"web1", "web2", "web3", "web4"}, set(report["servers"]))
        ended = [event["alarm"]["text"] for event in self.events(watch) if "alarm" in event
                 and "deadline" in event["alarm"]["text"]]
        self.assertEqual([], ended, "every connection came to its own end")
        watch.stop()


class Reconverging(Watched):
    """A switch that forgets its ports: nothing gets through to any server for 40 seconds."""
    GONE = 40
    configuration = configuration(
        [service("shop", SHOP), service("strict", STRICT)],
        pool("shop", CHECK.format(kind=f"http: {{}}, port: {HTTP}"),
             IN_TURN + "  panic_percent: 50\n", {server: "" for server in SERVERS}),
        pool("strict", CHECK.format(kind=f"http: {{}}, port: {HTTP}"), IN_TURN,
             {server: "" for server in SERVERS}))

    def all_are(self, state):
        wait_until(f"all are {state}", lambda: set(self.states().values()) == {state}, 30)

    def alarms(self, watch):
        """How often the pool's panic began and ended."""
        told = [event["alarm"] for event in self.events(watch) if "alarm" in event
                and "Pool shop" in event["alarm"].get("text", "")]
        return [bool(alarm.get("over")) for alarm in told]

    def test_connections_outlast_it_and_recovery_does_not_flap(self):
        world = self.world
        wait_until("all are healthy", lambda: all(
            self.server(address)["health"] == "healthy" for address, _ in SERVERS.values()), 20)
        watch = self.watch()
        # Kernels wait longer and longer between their attempts.
        held = self.hold(SHOP, 12, "--patience", 120)
        wait_open(held)
        began = time.monotonic()
        world.switch.ip("link", "set", "lb", "nomaster")
        self.all_are("FAILED")
        meanwhile = self.hold(SHOP, 12, "--patience", 120)
        refused = self.hold(STRICT, 1, "--tolerant", "--patience", 30)
        refused.wait(35)
        self.assertIn("Refused", " ".join(result(refused)["failures"]),
                      "without the panic clients are told at once")
        wait_until("the alarm tells of the panic", lambda: self.alarms(watch) == [False], 20)
        time.sleep(max(0, began + self.GONE - time.monotonic()))
        world.switch.ip("link", "set", "lb", "master", "bridge")
        self.all_are("READY")
        wait_open(meanwhile, seconds=90)
        time.sleep(10)  # whatever would flap does so now
        self.assertEqual({address: ["ready", "failed", "ready"] for address, _ in SERVERS.values()},
                         self.turns(watch))
        self.assertEqual([False, True], self.alarms(watch))
        watch.stop()
        self.assertEqual(set(SERVERS), set(self.stop(meanwhile)["servers"]))
        # What was said before the switch forgot it is answered, however late.
        self.stop(held)
        after = self.hold(STRICT, 6)
        wait_open(after)
        self.stop(after)


class Renumbering(Watched):
    NEW = "10.0.0.23"  # of web3
    configuration = configuration(
        [service("shop", SHOP), service("api", API)],
        pool("shop", CHECK.format(kind="tcp: {}"), IN_TURN, {"web1": "", "web2": ""}),
        pool("api", CHECK.format(kind="tcp: {}"), IN_TURN, {"web2": "", "web3": ""}))

    def setUp(self):
        self.world.apply(self.configuration)
        wait_until("all are healthy", lambda: all(
            self.server(address)["health"] == "healthy" for address, _ in SERVERS.values()), 20)

    def test_a_server_leaves_one_of_its_pools(self):
        shop, api = self.hold(SHOP, 8), self.hold(API, 8)
        wait_open(shop, api)
        self.world.nezu("server", "delete", "shop", f"{SERVERS['web2'][0]}:{ECHO}")
        later = self.hold(SHOP, 8), self.hold(API, 8)
        wait_open(*later)
        self.assertEqual({"web1"}, set(self.stop(later[0])["servers"]))
        self.assertEqual({"web2", "web3"}, set(self.stop(later[1])["servers"]))
        # Those that it had in the pool that it left are not cut.
        self.assertEqual({"web1", "web2"}, set(self.stop(shop)["servers"]))
        self.assertEqual({"web2", "web3"}, set(self.stop(api)["servers"]))

    def test_a_vip_goes_to_another_service(self):
        old = self.hold(SHOP, 8)
        wait_open(old)
        moved = self.configuration.replace("name: shop, address", "name: store, address", 1)
        self.world.apply(moved.replace("pool: shop }", "pool: api }", 1))
        new = self.hold(SHOP, 8)
        wait_open(new)
        self.assertEqual(8, len(self.world.flows("store")))
        self.assertEqual({"web2", "web3"}, set(self.stop(new)["servers"]))
        time.sleep(2)
        report = self.stop(old)  # at the servers of before, through all of it
        self.assertEqual({"web1", "web2"}, set(report["servers"]))

    def test_a_server_gets_another_address(self):
        world, server = self.world, self.world.servers["web3"]
        old, new = f"{SERVERS['web3'][0]}:{ECHO}", f"{self.NEW}:{ECHO}"
        short, long = self.hold(API, 8), self.hold(API, 8)
        wait_open(short, long)
        server.namespace.sysctl("net.ipv4.conf.eth0.promote_secondaries", 1)
        server.namespace.address("eth0", f"{self.NEW}/24")
        self.addCleanup(server.namespace.address, "eth0", f"{SERVERS['web3'][0]}/24")
        world.nezu("server", "create", "api", new)
        wait_until("the new one is good", lambda: self.server(self.NEW)["health"] == "healthy", 20)
        drain = world.process("drain", world.program("nezu"), *world.cli_options,
                              "drain", old, "--deadline", "300s", "--wait")
        wait_until("it drains", lambda: self.server(SERVERS["web3"][0])["state"] == "draining")
        later = self.hold(API, 16)
        wait_open(later)
        self.assertGreater(number(self.server(self.NEW), "flows"), 0)
        self.stop(short)
        self.assertTrue(drain.alive(), "some of its connections are left")
        report = self.stop(long)
        self.assertIn("web3", report["servers"])
        self.assertEqual(0, drain.wait(20), drain.tail())
        world.nezu("server", "delete", "api", old)
        server.namespace.ip("address", "delete", f"{SERVERS['web3'][0]}/24", "dev", "eth0")
        server.namespace.ip("route", "replace", "default", "via", BACK)
        self.stop(later)
        again = self.hold(API, 8)
        wait_open(again)
        self.assertEqual({"web2", "web3"}, set(self.stop(again)["servers"]))
        wait_until("the old one is forgotten", lambda: old not in world.nezu("server", "list"), 30)


if __name__ == "__main__":
    tap.main()
