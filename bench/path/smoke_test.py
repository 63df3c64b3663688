#!/usr/bin/python3
"""The path bench runs small cases and leaves nothing behind, however it ends.

    smoke_test.py PROGRAM
"""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
SMALL = ["--runs", "1", "--packets", "2000"]


def folders(bench):
    return list(pathlib.Path("/dev/shm").glob(f"nezu-bench-{bench.pid}-*"))


def start(*options):
    return subprocess.Popen([PROGRAM, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


class Smoke(unittest.TestCase):
    def test_cases_end_well(self):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            cases = ["nat,udp,ipv4,500", "fullnat,tcp,ipv6,500"]
            done = start(*SMALL, "--json", file.name, "--new", "600", "--rebuild",
                         "--hand-over", "--latency",
                         *[word for case in cases for word in ("--case", case)])
            _, errors = done.communicate(timeout=60)
            self.assertEqual(done.returncode, 0, errors)
            self.assertEqual(folders(done), [])
            rows = json.loads(pathlib.Path(file.name).read_text())
        self.assertEqual([row["case"] for row in rows], cases)
        for row in rows:
            self.assertGreater(row["cycles_per_packet"]["median"], 0)

    def test_a_flood(self):
        done = start(*SMALL, "--cookies", "0.01", "--case", "nat,tcp,ipv4,500", "--case",
                     "fullnat,tcp,ipv6,500")
        said, errors = done.communicate(timeout=60)
        self.assertEqual(done.returncode, 0, errors)
        self.assertEqual(said.count("; 0 refused"), 4, said)

    def test_everything(self):
        done = start(*SMALL, "--everything", "--case", "nat,tcp,ipv4,500", "--case",
                     "nat,udp,ipv6,500")
        said, errors = done.communicate(timeout=120)
        self.assertEqual(done.returncode, 0, errors)
        self.assertEqual(said.count("metered too"), 2, said)

    def test_an_error(self):
        done = start(*SMALL, "--capacity", "4096", "--case", "nat,udp,ipv4,5000")
        _, errors = done.communicate(timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("flow_table_full", errors)
        self.assertEqual(folders(done), [])

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                bench = start("--runs", "1000", "--case", "nat,udp,ipv4,50000")
                deadline = time.monotonic() + 30
                while not folders(bench) and time.monotonic() < deadline:
                    time.sleep(0.02)
                self.assertNotEqual(folders(bench), [], "it never began")
                bench.send_signal(number)
                bench.communicate(timeout=30)
                self.assertEqual(bench.returncode, 128 + number)
                self.assertEqual(folders(bench), [])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
