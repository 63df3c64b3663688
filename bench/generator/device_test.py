#!/usr/bin/python3
"""Every method of nezu-traffic against Nezu and against dpdk-testpmd, over memif: what it counts is
what the device counts. Modest rates, as others use the machine; needs root (Nezu's namespace).

    device_test.py BUILD
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
import tap  # noqa: E402
from nezu import CHECK, SERVERS, VIP, Nezu, options, services  # noqa: E402
from wires import Wires, number, total  # noqa: E402
import recordings  # noqa: E402

BUILD = sys.argv.pop(1)
FLOWS, FRAMES = 64, 2000
MODEST = ["--flows", FLOWS, "--pause", 0.1, "--wait", 0.5]
TRAFFIC = [*MODEST, "--rate", 2000]
# A device that the machine starves for seconds breaks nothing.
CHANGE = [*MODEST, "--ways", "both", "--sizes", "64", "--ramp", 500, "--rate", 1000,
          "--retransmit", 4]
SEARCH = [*MODEST, "--most", 500, "--short", 0.5, "--deciding", 1, "--resolution", 25]


def every(results, field):
    return sum(total(trial, field) for trial in results["trials"])


class Device(unittest.TestCase):
    def well_formed(self, results):
        """Arithmetic that holds whatever a machine does."""
        self.assertTrue(results["trials"])
        for trial in results["trials"]:
            for group in trial["groups"]:
                sent, delivered, lost, refused, silent = (
                    number(group, field)
                    for field in ("sent", "delivered", "lost", "refused", "silent"))
                self.assertEqual(sent, delivered + lost)
                self.assertLessEqual(refused + silent, lost)
                self.assertEqual(delivered, number(group["latency"], "frames"))
                self.assertEqual(0, number(group, "duplicates"))
            self.assertEqual(0, number(trial, "corrupted"))
            self.assertAlmostEqual(trial["loss"], total(trial, "lost") / total(trial, "sent"))
            # What the ports say; ARP and NDP may be among it.
            self.assertGreaterEqual(number(trial, "port_received"), total(trial, "delivered"))
            self.assertGreaterEqual(
                number(trial, "port_sent"),
                total(trial, "sent") - total(trial, "refused") - total(trial, "silent"))
        for found in results["throughput"]:
            frames = found["rate"]["frames"]
            self.assertTrue(frames == 0 or any(
                one["deciding"] and one["passed"] and one["rate"] == frames
                for one in found["attempts"]))

    def all_of_rfc2544(self, wires, *more):
        results = wires.traffic("rfc2544", *SEARCH, "--seconds", 1, "--repeats", 2, "--sizes",
                                "64,1518", *more, seconds=300)
        self.well_formed(results)
        for method in ("throughput", "loss", "back_to_back"):
            self.assertEqual(["64", "1518"], [one["mix"] for one in results[method]], method)
        for curve in results["loss"]:
            shares = [point["share"] for point in curve["points"]]
            self.assertEqual(1, shares[0])
            self.assertTrue(all(0.0999 < a - b < 0.1001 for a, b in zip(shares, shares[1:])))
        for burst in results["back_to_back"]:
            self.assertEqual(2, len(burst["longest"]))
        for latency in results["latency"]:
            figures = latency["all"]
            order = [figures[name] for name in ("least", "p50", "p90", "p99", "p999", "most")]
            self.assertEqual(sorted(order), order)
        return results

    def translated(self, results, left, right):
        self.assertEqual(["both", "to right", "to left"],
                         [one["ways"] for one in results["translation"]])
        for one in results["translation"]:
            self.assertEqual((left, right), (one["left_size"], one["right_size"]))
            self.assertEqual(2, len(one["rates"]))

    def changes_add_up(self, results):
        """Each change is what its trial counted; blocked time is loss by the offered rate."""
        trials = {trial["purpose"]: trial for trial in results["trials"]}
        for change in results["changes"]:
            trial, before = trials[change["name"]], trials[f"before {change['name']}"]
            for field in ("sent", "lost", "silent"):
                self.assertEqual(total(trial, field), number(change, field), change["name"])
            self.assertEqual(total(before, "lost"), number(change, "lost_before"))
            self.assertAlmostEqual(number(change, "sent") / trial["seconds"],
                                   change["offered_rate"])
            self.assertAlmostEqual(
                1e3 * number(change, "lost") / change["offered_rate"], change["blocked_ms"])


class Testpmd(Device):
    """A plain forwarding application, that nobody of us wrote."""

    def setUp(self):
        self.wires = Wires(BUILD).__enter__()
        self.addCleanup(lambda: self.wires.__exit__(None))
        self.device = self.wires.testpmd()

    def test_its_counters_agree(self):
        results = self.wires.traffic("trial", "--flows", FLOWS, "--pause", 0.1, "--wait", 4, "--rate",
                                     2000, "--ways", "both", "--frames", FRAMES, "--sizes", "64",
                                     "--retries", 0)
        self.well_formed(results)
        counts = self.wires.testpmd_counts(self.device)
        groups = {group["way"]: group for group in results["trials"][0]["groups"]}
        for way, came, went in (("to right", 0, 1), ("to left", 1, 0)):
            offered = number(groups[way], "sent") - number(groups[way], "refused")
            # Each flow was made known by a frame each way (again, where it was late).
            self.assertGreaterEqual(counts[came, "R"], offered + FLOWS)
            self.assertLessEqual(counts[came, "R"], offered + 5 * FLOWS)
            self.assertEqual(counts[came, "R"], counts[went, "T"])

    def test_rfc2544(self):
        self.all_of_rfc2544(self.wires)

    def test_imix(self):
        results = self.wires.traffic("imix", *SEARCH, seconds=200)
        self.well_formed(results)
        self.assertEqual(["simple", "simple-ip", "csit"],
                         [one["mix"] for one in results["throughput"]])
        shares = {one["name"]: one for one in results["mixes"]}
        self.assertIn("4 x 576 = 2304 B (56.415 %)", shares["simple-ip"]["ip_arithmetic"])

    def test_connections(self):
        results = self.wires.traffic("connections", "--most", 200, "--sustain", 2, "--short", 0.5,
                                     "--resolution", 25)
        for one in results["connection_rate"][0]["attempts"]:
            ends = one["ends"]
            self.assertEqual(number(ends, "attempted"),
                             number(ends, "closed") + number(ends, "failed"))
            self.assertEqual(0, number(ends, "resets"))

    def test_rfc8219_of_a_device_that_translates_nothing(self):
        results = self.wires.traffic("rfc8219", *SEARCH, "--sizes", "84", "--repeats", 2,
                                     "--seconds", 1, seconds=200)
        self.well_formed(results)
        self.translated(results, 84, 84)
        self.assertTrue(any("translates nothing" in note for note in results["notes"]))

    def test_changes(self):
        restart = self.wires.restart(self.device.child.pid, self.device.words,
                                     ready="NIC statistics")
        results = self.wires.traffic(
            "change", *CHANGE, "--settle", 2, "--held", 100,
            "--event", f"told to go on, which it does=kill -CONT {self.device.child.pid}",
            "--event", f"restarted={restart}")
        # A port's own counters begin anew with its other end.
        self.well_formed({**results, "trials": results["trials"][:-1]})
        self.changes_add_up(results)
        self.assertEqual([0, 0], [one["status"] for one in results["changes"]])
        for change in results["changes"]:
            self.assertEqual(100, number(change, "connections"))
            self.assertEqual(0, number(change, "broken"), "it keeps nothing that could break")
            self.assertEqual(0, number(change, "resets"))
        restarted = results["changes"][1]
        self.assertGreater(number(restarted, "lost"), 0)
        self.assertGreater(restarted["blocked_ms"], 0)

    def test_a_failed_server_that_it_does_not_find_out(self):
        server, there, held = "198.19.0.2", FLOWS // 4, 100
        results = self.wires.traffic(
            "change", *CHANGE, "--servers", "198.19.0.1-198.19.0.4", "--settle", 1, "--held", held,
            "--find-out", 2, "--event", f"failed=mute {server}", "--event", f"back=unmute {server}")
        self.well_formed(results)
        self.changes_add_up(results)
        failed, back = results["changes"]
        self.assertEqual([1, 0], [failed["status"], back["status"]])
        self.assertEqual([there, there], [number(failed, "flows_there"), number(failed, "flows_left")])
        for field in ("broken", "broken_there", "connections_there"):
            self.assertEqual(held // 4, number(failed, field), field)
        self.assertEqual(0, number(failed, "resets"))
        for trial in results["trials"][1:3]:  # the event, and the time before it is back
            for group in trial["groups"]:
                self.assertGreater(number(group, "silent"), 0)
        self.assertEqual(0, number(back, "flows_left"))
        self.assertEqual(0, number(back, "broken"))


class OnePort(Device):
    """testpmd gives back by its only port what comes in there."""

    def test_both_sides_behind_it(self):
        with Wires(BUILD, sides=("left",)) as wires:
            wires.testpmd("--port-topology=loop")
            results = wires.traffic("trial", *TRAFFIC, "--ways", "both", "--frames", FRAMES,
                                    "--sizes", "64", "--retries", 0)
            self.well_formed(results)
            self.assertEqual(2 * FRAMES, every(results, "sent"))
            self.assertEqual(every(results, "refused"), every(results, "lost"))

    def test_clients_and_servers_behind_it(self):
        # testpmd anew: once it crashed when the other end of its memif had gone.
        with Wires(BUILD, sides=("left",)) as wires:
            wires.testpmd("--port-topology=loop")
            found = wires.traffic("concurrent", "--connections", 100, "--ramp", 500, "--hold", 0.2)
            self.assertEqual("100", found["concurrent"][0]["held"])


class Through(Device):
    def setUp(self):
        self.wires = Wires(BUILD).__enter__()
        self.addCleanup(lambda: self.wires.__exit__(None))
        self.nezu = Nezu(self.wires).__enter__()
        self.addCleanup(self.nezu.close)

    def start(self, mode, family="ipv4", **more):
        self.nezu.start()
        self.nezu.apply(services(mode, family, **more))

    def service(self, name):
        found = [one for one in self.nezu.statistics()["services"] if one["name"] == name]
        return {field: int(value) for field, value in found[0]["counters"].items()}

    def explain(self):
        return self.nezu.explain() + self.nezu.say_drops()

    def agrees(self, mode, family):
        self.start(mode, family)
        results = self.wires.traffic("trial", *TRAFFIC, *options(family), "--ways", "both",
                                     "--frames", FRAMES, "--sizes", "84", "--retries", 0)
        self.well_formed(results)
        counters = self.service("udp")
        groups = {group["way"]: group for group in results["trials"][0]["groups"]}
        self.assertEqual(FLOWS, counters["flows_opened"])
        for way, field in (("to right", "packets_to_server"), ("to left", "packets_to_client")):
            offered = number(groups[way], "sent") - number(groups[way], "refused")
            self.assertGreaterEqual(counters[field], offered + FLOWS)
            self.assertLessEqual(counters[field], offered + 5 * FLOWS)
        return groups

    def test_nat_agrees_with_its_counters(self):
        self.agrees("nat", "ipv4")

    def test_full_nat_of_ipv6_agrees_with_its_counters(self):
        self.agrees("fullnat", "ipv6")

    def test_between_the_families_sizes_differ(self):
        groups = self.agrees("fullnat", "ipv4-ipv6")
        self.assertEqual((84, 104), (groups["to right"]["size"], groups["to left"]["size"]))

    def test_rfc2544(self):
        self.start("nat")
        self.all_of_rfc2544(self.wires, *options(), "--ways", "both")

    def test_imix(self):
        self.start("nat")
        results = self.wires.traffic("imix", *SEARCH, *options(), "--mix", "A=98:7aAg")
        self.well_formed(results)
        self.assertEqual([64, 98, 1518], [one["size"] for one in results["trials"][0]["groups"]])

    def test_rfc8219(self):
        self.start("fullnat", "ipv6-ipv4")
        results = self.wires.traffic("rfc8219", *SEARCH, *options("ipv6-ipv4"), "--sizes",
                                     "84", "--repeats", 2, "--seconds", 1, seconds=200)
        self.well_formed(results)
        self.translated(results, 84, 64)

    def test_connections_are_those_that_it_opened(self):
        for mode, method, more in (("nat", "connections", ["--most", 200, "--sustain", 2, "--short",
                                                           0.5, "--resolution", 25]),
                                   ("nat", "concurrent", ["--connections", 500, "--ramp", 500,
                                                          "--hold", 1])):
            with self.subTest(method):
                if self.nezu.dataplane is None:
                    self.start(mode)
                before = self.service("tcp")["flows_opened"]
                # Clients of other ports: an old flow may not yet be gone.
                ports = "20000-29999" if method == "connections" else "30000-39999"
                results = self.wires.traffic(method, *options(), "--client-ports", ports, *more)
                ends = [one["ends"] for found in results["connection_rate"]
                        for one in found["attempts"]]
                ends += [found["ends"] for found in results["concurrent"]]
                established = sum(number(one, "established") for one in ends)
                attempted = sum(number(one, "attempted") for one in ends)
                opened = self.service("tcp")["flows_opened"] - before
                self.assertGreater(established, 0)
                self.assertTrue(established <= opened <= attempted, (established, opened, attempted))
                for one in ends:
                    self.assertEqual(number(one, "attempted"),
                                     number(one, "closed") + number(one, "failed"))
                    self.assertEqual(0, number(one, "moved"))

    def test_a_flood_comes_as_it_was_recorded(self):
        self.start("nat")
        recording = self.wires.folder / "flood.pcap"
        frames = recordings.packets([(recordings.datagram, 9)], 100, "02:00:00:00:00:10",
                                    "02:00:00:00:ee:01", VIP)
        results = self.wires.traffic("flood", *options(), "--recording",
                                     recordings.write(recording, frames), "--rate", 1000,
                                     "--seconds", 2, "--ask", 0.2, "--pause", 0.1, "--retries", 0)
        trial = results["trials"][0]
        sent, refused = total(trial, "sent"), total(trial, "refused")
        self.assertEqual(sent, total(trial, "delivered") + refused)
        self.assertGreater(sent, 0)
        self.assertEqual(sent - refused, self.nezu.drops()["service_unknown"])
        self.assertGreater(number(trial, "asked"), 2)
        self.assertGreater(number(trial, "answered"), 0)
        self.assertLess(number(trial, "unanswered"), number(trial, "asked"))

    def test_changes(self):
        self.start("nat")
        push = self.nezu.folder / "push.yaml"
        push.write_text(services("nat", extra=100))
        cli = self.nezu.command_line()
        results = self.wires.traffic(
            "change", *CHANGE, *options(), "--settle", 1, "--held", 200,
            "--event", f"push of 100={cli} apply -f {push} > {self.nezu.folder}/push.log",
            "--event", f"control plane killed=kill -9 {self.nezu.controlplane.pid}",
            "--event", "a command that fails=exit 3")
        self.changes_add_up(results)
        push, killed, failed = results["changes"]
        self.assertEqual([0, 0, 3], [one["status"] for one in results["changes"]])
        for change in (push, killed, failed):
            self.assertEqual(200, number(change, "connections") + 0)
            self.assertEqual(0, number(change, "broken"))
            self.assertEqual(0, number(change, "resets"))
            self.assertEqual(0, number(change, "silent"), "no server failed")

    def test_a_server_fails(self):
        """Nobody tells Nezu but its health checks."""
        self.start("nat")
        folder, cli, failed = self.nezu.folder, self.nezu.command_line(), SERVERS[1]
        (folder / "checked.yaml").write_text(services("nat", check=CHECK))
        flows = " && ".join(f"{cli} flows --service {name} --limit 1000 --output json > "
                            f"{folder}/{name}.json" for name in ("udp", "tcp"))
        servers = f"{cli} server list --output json"
        ready_again = self.wires.script(
            "ready-again", f"while {servers} | grep -qi failed; do sleep 0.2; done")
        results = self.wires.traffic(
            "change", *CHANGE, *options(), "--settle", 2, "--held", 200,
            "--event", f"checks begin={cli} apply -f {folder}/checked.yaml && {flows}",
            "--event", f"failed=mute {failed}",
            "--event", f"after it={servers} > {folder}/servers.json",
            "--event", f"back=unmute {failed}", "--event", f"ready again={ready_again}",
            seconds=300)
        self.well_formed(results)
        self.changes_add_up(results)
        changes = {change["name"]: change for change in results["changes"]}
        self.assertEqual([0] * 5, [change["status"] for change in results["changes"]])
        self.assertGreater(number(changes["checks begin"], "checks"), 0, "servers answer them")

        # What was on that server, by the device's own word.
        there = {name: sum(flow["server"] == failed for flow in json.loads(
            (folder / f"{name}.json").read_text())["flows"]) for name in ("udp", "tcp")}
        lost = changes["failed"]
        self.assertEqual(there["udp"], number(lost, "flows_there"))
        self.assertEqual(there["tcp"], number(lost, "connections_there"))
        self.assertTrue(0 < there["udp"] < FLOWS and 0 < there["tcp"] < 200, there)

        # It was found out, and others have its flows. Those of others go on.
        self.assertEqual(0, number(lost, "flows_left"))
        self.assertEqual(there["tcp"], number(lost, "broken_there"), "they are reset")
        self.assertTrue(0 < number(lost, "resets") <= there["tcp"])
        self.assertGreater(number(lost, "silent"), 0)
        self.assertEqual({failed}, {
            one["server"]["address"] for one in json.loads(
                (folder / "servers.json").read_text())["servers"] if "failed" in one["state"].lower()})
        for change in results["changes"]:
            self.assertEqual(number(change, "broken_there"), number(change, "broken"),
                             change["name"])
            self.assertEqual(200 - (there["tcp"] if change["name"] not in ("checks begin", "failed")
                                    else 0), number(change, "connections"), change["name"])
        for trial in results["trials"]:
            if trial["purpose"] != "failed":
                self.assertEqual(0, total(trial, "silent"), trial["purpose"])
            for group in trial["groups"]:
                self.assertGreater(number(group, "delivered"), 0, trial["purpose"])

        # A quarter of the frames, until so many checks in a row have failed; and as much again
        # several times over, for a machine that is busy.
        explained = CHECK["fall"] * CHECK["interval_ms"] + CHECK["timeout_ms"]
        self.assertLess(1e3 * number(lost, "silent") / lost["offered_rate"], 4 * explained)


if __name__ == "__main__":
    tap.main()
