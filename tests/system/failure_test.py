#!/usr/bin/python3
"""A server dies and returns: only health checks tell Nezu."""
import time

from case import Case, tap
from services import SHIFT
from world import ECHO, HTTP, SERVERS, VIP, VIP6
from namespaces import wait_until

PATIENCE = 2.0  # seconds after which no new request may go to a dead server


class Failure(Case):
    workers = 2

    def lines(self, client):
        """(began, ended, outcome, what) of each request."""
        for line in (self.world.folder / f"{client.name}.record").read_text().splitlines():
            began, ended, outcome, what = line.split(" ", 3)
            yield float(began), float(ended), outcome, what

    def state(self, name):
        return self.world.servers_seen()[(SERVERS[name][0], HTTP)]["state"].upper()

    def test_a_dead_server_gets_no_new_request_and_returns_when_it_lives(self):
        world, clients = self.world, []
        for vip in (VIP, VIP6):
            for mode in SHIFT:
                name = f"fetch-{len(clients)}"
                clients.append(world.traffic(
                    "fetch", vip, HTTP + SHIFT[mode], "--rate", 40, "--tolerant",
                    "--record", world.folder / f"{name}.record", name=name))
        bystander = world.traffic("hold", VIP, ECHO)
        wait_until("web2 is known to be healthy", lambda: "READY" in self.state("web2"))
        time.sleep(2)

        world.servers["web2"].kill_nginx()
        killed = time.monotonic()
        time.sleep(PATIENCE + 2)
        self.assertIn("FAILED", self.state("web2"))

        world.servers["web2"].start_nginx()
        returned = time.monotonic()
        wait_until("web2 is ready again", lambda: "READY" in self.state("web2"), 5)
        time.sleep(2)
        self.stop(bystander)
        for client in clients:
            client.stop()
            lines = list(self.lines(client))
            failures = [began - killed for began, _, outcome, _ in lines if outcome == "failed"]
            self.assertTrue(all(0 <= when + 0.5 <= PATIENCE + 0.5 for when in failures),
                            f"{client.name}: failures after seconds {failures}")
            by_web2 = [began for began, _, outcome, what in lines if what == "web2"]
            self.assertTrue(any(began < killed for began in by_web2), "it served before")
            self.assertTrue(any(began > returned for began in by_web2), "it serves again")
            self.assertFalse([began for began in by_web2 if killed < began < returned])

    def test_explain_says_why(self):
        world = self.world
        world.servers["web3"].kill_nginx()
        wait_until("web3 has failed", lambda: "FAILED" in self.state("web3"), 5)
        text = world.nezu("check", "explain", f"{SERVERS['web3'][0]}:{HTTP}")
        self.assertIn("refused", text.lower())
        world.servers["web3"].start_nginx()
        wait_until("web3 is ready again", lambda: "READY" in self.state("web3"), 5)

    def test_no_server_at_all_is_a_refusal(self):
        world = self.world
        for server in world.servers.values():
            server.kill_nginx()
        wait_until("all have failed", lambda: all("FAILED" in self.state(name)
                                                  for name in SERVERS), 5)
        done = world.client.run("curl", "-s", "--max-time", "3", f"http://{VIP}/", check=False)
        self.assertEqual(7, done.returncode, "curl's status for a refused connection")
        for server in world.servers.values():
            server.start_nginx()
        wait_until("all are ready", lambda: all("READY" in self.state(name) for name in SERVERS),
                   5)
        self.fine(world.traffic("fetch", VIP, HTTP, "--seconds", 1))


if __name__ == "__main__":
    tap.main()
