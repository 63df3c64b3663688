#!/usr/bin/python3
"""nezu-traffic counts what a device with known harm did: the device counts for itself.

    bad_wire_test.py BUILD
"""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
import tap  # noqa: E402
from wires import Failure, Wires, number, total  # noqa: E402

BUILD = sys.argv.pop(1)
FRAMES = 3000
# Modest: others use these cores as well. Counts do not depend on how long it takes.
TRAFFIC = ["--flows", 50, "--pause", 0.1, "--wait", 0.5, "--rate", 2000, "--frames", FRAMES,
           "--retries", 0]


class BadWire(unittest.TestCase):
    def measure(self, *harm, method="trial", traffic=("--sizes", "64", "--ways", "both")):
        """Results, and what the device did to the right and to the left."""
        with Wires(BUILD) as wires:
            device = wires.bad_wire(*harm)
            results = wires.traffic(method, *TRAFFIC, *traffic)
            counts = wires.counts(device)
        for way in counts.values():
            self.assertEqual(0, way["refused"])
        return results, counts["to_right"]["harm"], counts["to_left"]["harm"]

    def one(self, *harm, **more):
        results, right, left = self.measure(*harm, **more)
        self.assertEqual(1, len(results["trials"]))
        trial = results["trials"][0]
        groups = {group["way"]: group for group in trial["groups"]}
        for way, did in (("to right", right), ("to left", left)):
            group = groups[way]
            self.assertEqual(FRAMES, number(group, "sent"))
            # A wire may be full when this machine has no time for the device.
            refused = number(group, "refused")
            self.assertEqual(FRAMES - refused, did["received"], "what was offered came there")
            self.assertEqual(did["lost"] + did["limited"] + did["damaged"] + refused,
                             number(group, "lost"))
            self.assertEqual(did["duplicated"], number(group, "duplicates"))
            self.assertEqual(did["swapped"], number(group, "reordered"))
            self.assertEqual(0, number(group, "beyond"))
        self.assertEqual(right["damaged"] + left["damaged"], number(trial, "corrupted"))
        self.assertEqual(right["sent"] + left["sent"],
                         total(trial, "delivered") + total(trial, "duplicates")
                         + number(trial, "corrupted"))
        # The ports' own counters: all that was offered went out, all that the device sent came in.
        self.assertEqual(number(trial, "port_sent"),
                         total(trial, "sent") - total(trial, "refused"))
        self.assertEqual(number(trial, "port_received"), right["sent"] + left["sent"])
        return trial, right, left

    def test_a_wire_without_fault(self):
        trial, _, _ = self.one()
        self.assertEqual(total(trial, "refused"), total(trial, "lost"))
        self.assertEqual(0, total(trial, "reordered"))

    def test_all_harms_at_once(self):
        trial, right, left = self.one("--lose", 0.02, "--duplicate", 0.02, "--damage", 0.01,
                                      "--swap", 0.02)
        for did in (right, left):
            for harm in ("lost", "duplicated", "damaged", "swapped"):
                self.assertGreater(did[harm], 0, harm)
        self.assertGreater(total(trial, "lost"), 0)

    def test_another_size_and_seed(self):
        self.one("--lose", 0.05, "--swap", 0.05, "--seed", 7,
                 traffic=("--sizes", "1518", "--ways", "both"))

    def test_jumbo_frames_come_whole(self):
        trial, _, _ = self.one("--damage", 0.01, traffic=("--sizes", "9000", "--ways", "both"))
        self.assertEqual(9000, trial["groups"][0]["size"])

    def test_ipv6(self):
        self.one("--lose", 0.02, traffic=("--sizes", "84", "--ways", "both", "--clients",
                                          "2001:db8::1-2001:db8::20", "--servers",
                                          "2001:db8:1::1-2001:db8:1::20"))

    def test_a_mix_is_counted_by_its_sizes(self):
        results, right, _ = self.measure("--lose", 0.02, traffic=("--mix", "simple"))
        trial = results["trials"][0]
        self.assertEqual([64, 594, 1518], [group["size"] for group in trial["groups"]])
        sent = [number(group, "sent") for group in trial["groups"]]
        self.assertAlmostEqual(sent[0] / sent[2], 7, delta=0.2)
        self.assertAlmostEqual(sent[1] / sent[2], 4, delta=0.2)
        self.assertEqual(right["lost"] + total(trial, "refused"), total(trial, "lost"))

    def test_no_frame_is_faster_than_the_delay(self):
        trial, _, _ = self.one("--delay", 3000)
        for group in trial["groups"]:
            self.assertGreaterEqual(group["latency"]["least"], 3e6)
            self.assertEqual(number(group["latency"], "frames"), number(group, "delivered"))

    def test_all_is_lost(self):
        trial, right, left = self.one("--lose", 1)
        self.assertEqual(1, trial["loss"])
        self.assertEqual(2 * FRAMES, total(trial, "lost"))

    def test_a_limit_is_found(self):
        """A device that lets 4,000 frames a second pass: found within what a burst allows."""
        results, right, _ = self.measure(
            "--rate", 4000, "--burst", 400, method="throughput",
            traffic=("--sizes", "64", "--most", "8000", "--short", "1", "--deciding", "2",
                     "--resolution", "2"))
        found = results["throughput"][0]
        every = {field: sum(total(trial, field) for trial in results["trials"])
                 for field in ("sent", "lost", "refused")}
        self.assertEqual(0, sum(trial["repeated"] for trial in results["trials"]))
        self.assertEqual(right["received"], every["sent"] - every["refused"])
        self.assertEqual(right["limited"], every["lost"] - every["refused"])
        # Two seconds at the limit, and the burst on top, divided by two seconds.
        self.assertLessEqual(found["rate"]["frames"], (2 * 4000 + 400) / 2 + 4000 * 0.02)
        self.assertFalse(found["attempts"][0]["passed"], "twice the limit")

    def test_only_loss_below_the_tolerated_passes(self):
        results, right, _ = self.measure(
            "--lose", 0.004, method="throughput",
            traffic=("--sizes", "64", "--most", "4000", "--short", "1", "--deciding", "1",
                     "--resolution", "25", "--tolerate", "0,1"))
        strict, tolerant = results["throughput"]
        self.assertEqual("most", tolerant["limited_by"])
        self.assertEqual(4000, tolerant["rate"]["frames"])
        self.assertLess(strict["rate"]["frames"], 4000)
        self.assertEqual(right["lost"], sum(total(trial, "lost") - total(trial, "refused")
                                            for trial in results["trials"]))

    def test_flows_that_do_not_get_through_are_said(self):
        with Wires(BUILD) as wires:
            wires.bad_wire()
            with self.assertRaisesRegex(Failure, "nobody answers for 192.0.2.1 at port net_memif0"):
                wires.traffic("trial", *TRAFFIC, "--left", "dev=net_memif0,gateway=192.0.2.1",
                              "--right", "dev=net_memif1")


if __name__ == "__main__":
    tap.main()
