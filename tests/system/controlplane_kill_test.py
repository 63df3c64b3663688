#!/usr/bin/python3
"""The control plane is killed at random moments, during changes and load; nobody may notice."""
import random
import threading
import time

from api import Api, Changes, grpc
from case import Case, tap
from services import SHIFT
from world import ECHO, HTTP, SERVERS, VIP, VIP6

KILLS = 50


class Killed(Case):
    workers = 2

    def setUp(self):
        self.api = Api(self.world)

    def test_fifty_kills_break_nothing_and_lose_no_memory(self):
        world, api, pick = self.world, self.api, random.Random(2)
        holds = [world.traffic(role, vip, ECHO + SHIFT[mode], "--interval", 0.3)
                 for role, vip, mode in (("hold", VIP, "nat"), ("hold", VIP6, "fullnat"),
                                         ("ask", VIP, "fullnat"))]
        fetch = world.traffic("fetch", VIP, HTTP, "--rate", 30)
        world.apply(self.configuration)
        time.sleep(1)
        at_first = api.our_region()

        over = threading.Event()
        changes = Changes(api, "http4", (SERVERS["web1"][0], HTTP))
        made, refused = [0], []

        def change():
            while not over.is_set():
                try:
                    changes.one()
                    made[0] += 1
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE,
                                            grpc.StatusCode.DEADLINE_EXCEEDED):
                        refused.append(f"{error.code()}: {error.details()}")
                    time.sleep(0.02)

        changer = threading.Thread(target=change)
        changer.start()
        try:
            for _ in range(KILLS):
                time.sleep(pick.uniform(0.0, 0.5))
                world.controlplane.kill()
                time.sleep(pick.choice([0, 0, 0.2]))
                world.start_controlplane()
        finally:
            over.set()
            changer.join()
        self.assertEqual([], refused[:5])
        self.assertGreater(made[0], KILLS, "changes between the kills")
        for client in holds + [fetch]:
            self.stop(client)

        # The same configuration as at first takes the same memory, once readers have passed.
        api = Api(world)  # a connection of its own: the old one may still notice its last kill
        world.apply(self.configuration)
        deadline = time.monotonic() + 10
        while True:
            region = api.our_region()
            if region.heap_used_bytes <= at_first.heap_used_bytes or time.monotonic() > deadline:
                break
            time.sleep(0.5)
            world.apply(self.configuration)
        self.assertEqual("ready", region.state)
        self.assertLessEqual(region.heap_used_bytes - region.heap_retired_bytes,
                             at_first.heap_used_bytes)


if __name__ == "__main__":
    tap.main()
