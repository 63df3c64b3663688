#!/usr/bin/python3
"""What an operator does with real flows: drains a server, ends flows; and what is refused."""
import json
import time

from case import Case, tap
from namespaces import wait_until
from services import SHIFT
from world import CLIENTS, ECHO, HTTP, SERVERS, VIP, VIP6, result, wait_open

# Says something, hears it back, and waits for what comes then.
CONNECT = r"""
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as client:
    client.settimeout(8)
    print("port", client.getsockname()[1], flush=True)
    client.sendall(b"hello\n")
    client.recv(100)
    try:
        client.recv(100)
    except ConnectionResetError:
        print("reset by peer", flush=True)
"""
WEB1 = f"{SERVERS['web1'][0]}:{ECHO}"


class Operations(Case):
    workers = 2

    def flows_at(self, server):
        return len(self.world.nezu_json("flows", "--real-server", server, "--limit", 1000)["flows"])

    def holding(self):
        """Connections from all clients, over all servers, so that both workers own some."""
        client = self.world.traffic("hold", VIP, ECHO + SHIFT["fullnat"], "--interval", 0.2,
                                    "--tolerant")
        wait_open(client)
        wait_until("web1 has flows", lambda: self.flows_at(WEB1) > 0)
        return client

    def test_a_drain_ends_at_its_deadline_and_says_so(self):
        client = self.holding()
        began = time.monotonic()
        self.world.nezu("drain", WEB1, "--deadline", "2s", "--wait")
        took = time.monotonic() - began
        self.assertGreaterEqual(took, 1.5, "flows were left alone until the deadline")
        self.assertEqual(0, self.flows_at(WEB1))
        client.stop()
        servers = result(client)["servers"]
        self.assertGreater(len(servers), 1, servers)
        # Nobody new goes there ...
        again = self.world.traffic("hold", VIP, ECHO, "--interval", 0.2)
        wait_open(again)
        self.assertEqual(0, self.flows_at(WEB1))
        self.assertEqual({"web2", "web3"}, set(self.stop(again)["servers"]))
        # ... until it is made ready.
        self.world.nezu("set", "state", WEB1, "ready")
        self.holding().stop()

    def test_flows_are_ended_by_filter_and_no_others(self):
        client = self.holding()
        untouched = self.world.traffic("hold", VIP, ECHO, "--interval", 0.2)
        wait_open(untouched)
        before = self.flows_at(WEB1)
        self.world.nezu("flows", "end", "--real-server", WEB1, "--service", "echo4-fullnat")
        wait_until("they have ended", lambda: self.flows_at(WEB1) < before)
        self.stop(untouched)
        client.stop()

    def test_an_idle_connection_is_reset_at_both_ends(self):
        """By the service's own timeout, over both families; `silent` is forgotten, and told nothing."""
        world, port = self.world, 4007
        for name, vip, pool, at, told in (("idle4", VIP, "echo4", port, "true"),
                                          ("idle6", VIP6, "echo6", port, "true"),
                                          ("silent", VIP, "echo4", port + 1, "false")):
            world.nezu("service", "create", name, f"address={vip}", f"port={at}", f"pool={pool}",
                       "timeouts.established_s=2", f"reset_when_idle={told}")

        def connect(vip, at):
            return world.process(f"idle-{vip}-{at}".replace(":", "-"), *world.client.command(
                "/usr/bin/python3", "-c", CONNECT, vip, at))

        clients = [connect(VIP, port), connect(VIP6, port)]
        silent = connect(VIP, port + 1)
        for client in clients:
            self.assertEqual(0, client.wait(10), client.tail())
            self.assertIn("reset by peer", client.log.read_text())

        def at_servers(client):
            """Connections of that client that servers still have: in `nat` they see its port."""
            port_of = client.log.read_text().split()[1]
            return sum(len(server.namespace.run(
                "ss", "-Htn", "state", "established", "dport", "=", f":{port_of}").splitlines())
                for server in world.servers.values())

        wait_until("the servers have none of those that were reset",
                   lambda: sum(at_servers(client) for client in clients) == 0)
        self.assertEqual(1, at_servers(silent))
        self.assertTrue(silent.alive(), silent.tail())
        silent.stop()
        workers = world.nezu_json("stats", "workers")["workers"]
        self.assertEqual(2, sum(int(one.get("flows_reset_when_idle", 0)) for one in workers))
        for name in ("idle4", "idle6", "silent"):
            world.nezu("service", "delete", name)

    def test_a_denied_client_gets_no_answer_until_it_is_allowed(self):
        world = self.world
        denied, other = CLIENTS[:2]

        def fetch(client):
            return world.client.run("curl", "-sgf", "-o", "/dev/null", "--interface", client,
                                    "--max-time", 1.5, f"http://{VIP}:{HTTP}/", check=False).returncode

        kept = world.traffic("hold", VIP, ECHO, "--flows", 2, sources=[denied])
        wait_open(kept)
        for target in (["--service", "http4-nat"], []):
            world.nezu("access", "deny", *target, f"{denied}/32")
            self.assertEqual(28, fetch(denied))  # curl's word for no answer in time
            self.assertEqual(0, fetch(other))
            world.nezu("access", "remove", *target, denied)
            self.assertEqual(0, fetch(denied))
        reasons = world.drops()
        self.assertGreater(reasons.get("access_denied", 0), 0, reasons)
        self.assertGreater(reasons.get("access_denied_here", 0), 0, reasons)
        self.stop(kept)

    def test_a_clients_traffic_is_capped(self):
        world, port = self.world, 5301
        world.servers["web1"].start_iperf()
        world.nezu("service", "create", "capped-control", f"address={VIP}", f"port={port}",
                   "pool=iperf4")
        world.nezu("service", "create", "capped", f"address={VIP}", f"port={port}",
                   "protocol=udp", "pool=iperf-udp4", "limits.client.bits_per_second=10000000")
        size, seconds = 1000, 3
        report = json.loads(world.client.run("iperf3", "-c", VIP, "-p", port, "-u", "-b", "40M",
                                             "-l", size, "-t", seconds, "-J"))["end"]["sum"]
        passed = (report["packets"] - report["lost_packets"]) * (size + 42) * 8
        self.assertGreater(passed, 0)
        self.assertLess(passed, 10_000_000 * (seconds + 1))
        self.assertGreater(world.drops().get("client_limit_bit_rate", 0), 1000)
        for name in ("capped", "capped-control"):
            world.nezu("service", "delete", name)

    def test_a_client_has_as_many_flows_as_it_may_and_others_theirs(self):
        world, port = self.world, 4017
        world.nezu("service", "create", "limited", f"address={VIP}", f"port={port}", "pool=echo4",
                   "limits.client.at_once=3")
        greedy = world.traffic("hold", VIP, port, "--flows", 5, "--tolerant", "--patience", 2,
                               sources=CLIENTS[:1])
        modest = world.traffic("hold", VIP, port, "--flows", 2, sources=CLIENTS[1:2])
        wait_open(modest)
        wait_until("the greedy client was held back",
                   lambda: world.drops().get("client_limit_flows", 0) >= 2)
        self.assertEqual(5, len(world.flows("limited")))
        self.stop(modest)
        greedy.stop()
        self.assertEqual(2, result(greedy)["failed"])
        world.nezu("service", "delete", "limited")

    def test_an_address_of_a_twin_is_refused(self):
        answer = self.world.nezu("service", "create", "clash", "address=192.0.2.1", "port=99",
                                 "pool=spare", check=False)
        self.assertNotEqual(0, answer.returncode)
        self.assertIn("has that address", answer.stderr)

    def test_a_vip_that_a_twin_gets_later_is_alarmed(self):
        world = self.world
        watch = world.process("watch", world.program("nezu"), *world.cli_options, "watch")
        world.lb.ip("address", "add", f"{VIP}/32", "dev", "nz-front")
        try:
            wait_until("the alarm names both",
                       lambda: f"nz-front has the address {VIP}" in watch.log.read_text())
        finally:
            world.lb.ip("address", "del", f"{VIP}/32", "dev", "nz-front")
            watch.stop()

    def test_a_second_data_plane_is_refused_before_it_touches_a_port(self):
        world = self.world
        second = world.process("second", *world.lb.command(
            world.program("nezu-dataplane"), "--port", "name=other,dev=net_null0", "--region-dir",
            world.region_folder, "--state-dir", world.folder / "second", "--", "--no-pci",
            "--no-shconf", "-m", 64, "--no-huge", "--vdev", "net_null0"))
        self.assertNotEqual(0, second.wait(20))
        text = second.log.read_text()
        self.assertIn("is a data plane that uses", text)
        self.assertNotIn("EAL", text)


if __name__ == "__main__":
    tap.main()
