#!/usr/bin/python3
"""A full flow table refuses new flows, counts them, and leaves the old ones alone."""
from case import Case, tap
from world import ECHO, VIP, number


class FullTable(Case):
    flows = 1024

    def refused(self):
        return sum(number(drop, "packets") for drop in self.world.statistics()["drops"]
                   if drop["reason"] in ("flow_table_full", "flow_bucket_full"))

    def test_flows_beyond_the_table_are_refused(self):
        world = self.world
        old = world.traffic("hold", VIP, ECHO, "--interval", 0.3)
        self.fine(world.traffic("ask", VIP, ECHO, "--seconds", 1))
        self.assertEqual(0, self.refused())
        crowd = world.traffic("ask", VIP, ECHO, "--flows", 1500, "--patience", 3, "--interval", 1,
                              "--tolerant", "--seconds", 6)
        crowd.wait(30)
        self.assertGreater(self.refused(), 100)
        workers = world.statistics()["workers"]
        self.assertLessEqual(sum(number(worker, "flows_live") for worker in workers), 1024)
        self.stop(old)


if __name__ == "__main__":
    tap.main()
