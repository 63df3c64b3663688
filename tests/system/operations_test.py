#!/usr/bin/python3
"""What an operator does with real flows: drains a server, ends flows; and what is refused."""
import time

from case import Case, tap
from namespaces import wait_until
from services import SHIFT
from world import ECHO, SERVERS, VIP, result, wait_open

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
