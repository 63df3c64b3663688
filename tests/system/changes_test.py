#!/usr/bin/python3
"""200 configuration changes a second under load: nothing breaks, and turns stay fair."""
import itertools
import os
import threading
import time

from api import Api, grpc
from case import Case, tap
from services import SHIFT, configuration, pool, service
from world import ECHO, HTTP, SERVERS, VIP, VIP6

SECONDS, RATE = float(os.environ.get("NEZU_SOAK_SECONDS", 30)), 200
WEIGHTS = {"web1": 3, "web2": 1, "web3": 1}


def mixed():
    """Pages in turn over IPv4 and by weight over IPv6; echoes, so that connections stay open."""
    services, pools = [], []
    for family, scheduler, weights in ((0, "rr", None), (1, "wrr", WEIGHTS)):
        for kind, port in (("http", HTTP), ("echo", ECHO)):
            name = f"{kind}{(4, 6)[family]}"
            pools.append(pool(name, port, family, scheduler=scheduler, weights=weights,
                              check="tcp: {}"))
            services += [service(f"{name}-{mode}", name, port, family, mode=mode)
                         for mode in SHIFT]
    pools.append(pool("spare", HTTP, 0, servers=["web1"]))
    return configuration(services, pools)


class Pace(threading.Thread):
    """Makes `changes` one after another, again and again, at its share of the rate."""

    def __init__(self, rate, *changes):
        super().__init__()
        self.rate, self.changes = rate, changes
        self.made, self.problems = 0, []
        self.over = threading.Event()
        self.start()

    def run(self):
        began = time.monotonic()
        for number, change in enumerate(itertools.cycle(self.changes)):
            if self.over.wait(max(0, began + number / self.rate - time.monotonic())):
                # The last round is made complete, so that everything is as it was.
                if number % len(self.changes) == 0:
                    return
            try:
                change()
                self.made += 1
            except grpc.RpcError as error:
                self.problems.append(f"{error.code()}: {error.details()}")


class Changes(Case):
    workers = 2
    configuration = mixed()

    def test_200_changes_a_second_break_nothing(self):
        world = self.world
        clients = [world.traffic("hold", vip, ECHO + SHIFT[mode], "--interval", 0.5)
                   for vip in (VIP, VIP6) for mode in SHIFT]
        in_turn = world.traffic("fetch", VIP, HTTP, "--rate", 50)
        by_weight = world.traffic("fetch", VIP6, HTTP + SHIFT["fullnat"], "--rate", 50)
        time.sleep(1)
        api = Api(world)
        web1, web3 = (SERVERS["web1"][0], ECHO), (SERVERS["web3"][0], HTTP)
        web3_6, stranger = (SERVERS["web3"][1], HTTP), ("10.0.0.99", 80)
        paces = [
            Pace(RATE / 4, lambda: api.set_weight("echo4", *web1, 3),
                 lambda: api.set_weight("echo4", *web1, 1)),
            Pace(RATE / 4, lambda: api.delete_server("http4", *web3),
                 lambda: api.create_server("http4", *web3),
                 lambda: api.delete_server("http6", *web3_6),
                 lambda: api.create_server("http6", *web3_6)),
            Pace(RATE / 4, lambda: api.create_server("spare", *stranger),
                 lambda: api.delete_server("spare", *stranger)),
            Pace(RATE / 4, lambda: api.create_service(name="other", address="192.0.2.99", port=99,
                                                      pool="http4"),
                 lambda: api.delete_service("other")),
        ]
        # A busy machine may take longer for them; it is given time, not fewer changes.
        began = time.monotonic()
        deadline = began + 2 * SECONDS
        while (sum(pace.made for pace in paces) < SECONDS * RATE * 0.95
               and time.monotonic() < deadline):
            time.sleep(0.1)
        took = time.monotonic() - began
        print(f"# {sum(pace.made for pace in paces) / took:.0f} changes a second for {took:.0f} s")
        for pace in paces:
            pace.over.set()
        for pace in paces:
            pace.join()
        self.assertEqual([], [problem for pace in paces for problem in pace.problems][:5])
        self.assertGreaterEqual(sum(pace.made for pace in paces), SECONDS * RATE * 0.95)
        for client in clients:
            self.stop(client)
        servers = self.stop(in_turn)["servers"]
        self.assertAlmostEqual(1, servers["web1"] / servers["web2"], delta=0.1)
        servers = self.stop(by_weight)["servers"]
        self.assertAlmostEqual(3, servers["web1"] / servers["web2"], delta=0.4)


if __name__ == "__main__":
    tap.main()
