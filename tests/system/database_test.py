#!/usr/bin/python3
"""MariaDB behind one VIP: writes go to one node, reads to all; and a pair of which one serves: the
master is killed, all go to the other, and the stale master stays out until it is let back."""
import threading
import time

from case import Case, tap
from namespaces import Failure, wait_until
from programs import SERVED, SQL, Asking, make_database, start_mariadb, wait_for
from world import SERVERS, VIP

WRITES, READS, PAIR = 3306, 3307, 3308
CHECK = ("{ tcp: {}, interval_ms: 400, timeout_ms: 400, rise: 2, fall: 3, jitter_percent: 0, "
         "manual_return: true }")
NAME = "SELECT @@report_host"


def configuration():
    lines = ["services:"]
    for name, port, pool in (("writes", WRITES, "writes"), ("reads", READS, "reads"),
                             ("pair", PAIR, "writes")):
        lines.append(f"- {{ name: {name}, address: {VIP}, port: {port}, pool: {pool}, "
                     "failed_flows: reset }")
    lines.append("pools:")
    for name, scheduler, backup in (("writes", "wlc", ", backup: true"), ("reads", "rr", "")):
        lines += [f"- name: {name}", f"  scheduler: {scheduler}", f"  check: {CHECK}", "  servers:",
                  f"  - {{ address: {SERVERS['web1'][0]}, port: {SQL} }}",
                  f"  - {{ address: {SERVERS['web2'][0]}, port: {SQL}{backup} }}"]
    return "\n".join(lines) + "\n"


class Database(Case):
    workers = 2
    configuration = configuration()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.template = cls.world.folder / "database"
        make_database(cls.template)
        cls.nodes = {name: start_mariadb(cls.world, cls.world.servers[name], cls.template)
                     for name in SERVED}
        for name in SERVED:
            wait_for(cls.world.servers[name], "t", SQL)
        cls.client = Asking(cls.world.client)
        # Both were down when the checks began: neither was ever seen good, so nobody must let them in.
        wait_until("both nodes are ready", lambda: {cls.state(name) for name in SERVED} == {"READY"},
                   20)

    @classmethod
    def seen(cls, name):
        return cls.world.servers_seen()[(SERVERS[name][0], SQL)]

    @classmethod
    def state(cls, name):
        return cls.seen(name)["state"].upper().removeprefix("SERVER_STATE_")

    def sql(self, port, statement):
        return self.client.sql(VIP, port, statement).strip()

    def master_of(self, port, tries=6):
        return {self.sql(port, NAME) for _ in range(tries)}

    def test_1_writes_go_to_one_node_and_reads_to_all(self):
        for number in range(8):
            self.sql(WRITES, f"INSERT INTO orders VALUES ({number}, 'order {number}')")
        self.assertEqual({"web1"}, self.master_of(WRITES))
        self.assertEqual({"web1", "web2"}, self.master_of(READS, 12))
        master = Asking(self.world.servers["web1"].namespace)
        self.assertEqual("8", master.sql("127.0.0.1", SQL, "SELECT COUNT(*) FROM orders").strip())

    def test_2_the_pair_survives_its_master(self):
        world, master = self.world, f"{SERVERS['web1'][0]}:{SQL}"
        # Somebody writes all the time; what is refused is tried again, as programs do.
        stop, written, refused = threading.Event(), [], []

        def write():
            number = 1000
            while not stop.is_set():
                number += 1
                try:
                    written.append(self.sql(PAIR, f"INSERT INTO orders VALUES ({number}, 'pair'); "
                                                  f"{NAME}"))
                except Failure:
                    refused.append(number)
                time.sleep(0.05)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until("orders come in", lambda: len(written) > 5, 20)
            self.nodes["web1"].kill()
            wait_until("web1 has failed", lambda: self.state("web1") == "FAILED", 10)
            before = len(written)
            wait_until("orders come in again", lambda: len(written) > before + 5, 20)
            # The stale master is back, and its checks are good: it gets nothing.
            self.nodes["web1"] = self.again("web1")
            wait_until("web1 waits", lambda: self.seen("web1").get("awaits_return", False), 20)
            before = len(written)
            wait_until("orders go on", lambda: len(written) > before + 5, 20)
            self.assertEqual({"web2"}, set(written[before + 1:]))
            self.assertIn("may take new flows again", world.nezu("server", "return", master))
            wait_until("web1 is ready", lambda: self.state("web1") == "READY", 10)
        finally:
            stop.set()
            writer.join(30)
        self.assertEqual({"web1"}, self.master_of(PAIR))
        self.assertEqual(("web1", "web2"), tuple(dict.fromkeys(written))[:2])
        print(f"# {len(written)} orders were written, {len(refused)} were refused and tried again")

    def again(self, name):
        """The same node with what it had."""
        node = start_mariadb(self.world, self.world.servers[name], None)
        wait_for(self.world.servers[name], "t", SQL)
        return node


if __name__ == "__main__":
    tap.main()
