#!/usr/bin/python3
"""Compares nezu-bench-path of two builds, or keeps what one measured.

  compare.py A B [options]         A B A B ..., the ratio of each round, and their median
  compare.py A --save FILE         the results of A with machine and commit
  compare.py FILE B                against results that were kept (another day: read with care)

A and B are build folders (or files that --save wrote). Rounds alternate, so that a machine that
changes its speed changes it for both. A median ratio above 1.03 is called a regression; a single
one on a shared machine means nothing.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

CASES = ["nat,udp,ipv4,1000", "nat,udp,ipv4,1000000", "nat,tcp,ipv4,1000", "nat,tcp,ipv4,1000000",
         "fullnat,udp,ipv4,1000", "fullnat,udp,ipv4,1000000", "nat,udp,ipv6,1000",
         "nat,udp,ipv6,1000000"]
LIMIT = 1.03


def measure(folder, cases, options):
    """One run of the bench; rows by case."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = ["taskset", "-c", str(options.core), str(folder / "bench/nezu-bench-path"),
                   "--runs", str(options.runs), "--json", file.name]
        command += ["--huge"] if options.huge else []
        command += ["--cold"] if options.cold else []
        for case in cases:
            command += ["--case", case]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {row["case"]: row for row in json.loads(pathlib.Path(file.name).read_text())}


def machine():
    cpu = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text()
           .splitlines() if line.startswith("model name")]
    return {"cpu": cpu[0] if cpu else platform.machine(), "cpus": len(cpu),
            "kernel": platform.release(), "load": pathlib.Path("/proc/loadavg").read_text().split()[0]}


def commit():
    here = pathlib.Path(__file__).resolve().parent
    done = subprocess.run(["git", "-C", str(here), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip()


def median_cycles(row):
    return row["cycles_per_packet"]["median"]


class Kept:
    """Results of another time, as if measured now."""

    def __init__(self, path):
        self.rows = {row["case"]: row for row in json.loads(path.read_text())["rows"]}

    def run(self, cases, _):
        return {case: self.rows[case] for case in cases if case in self.rows}


class Build:
    def __init__(self, path):
        self.path = path

    def run(self, cases, options):
        return measure(self.path, cases, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", type=pathlib.Path, metavar="BUILD")
    parser.add_argument("--case", action="append", help=f"default: {' '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3, help="of a case in a round")
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--no-huge", dest="huge", action="store_false")
    parser.add_argument("--save", type=pathlib.Path)
    options = parser.parse_args()
    cases = options.case or CASES
    if options.save:
        rows = measure(options.what[0], cases, options)
        kept = {"machine": machine(), "commit": commit(), "rows": list(rows.values())}
        options.save.write_text(json.dumps(kept, indent=1) + "\n")
        return 0
    if len(options.what) != 2:
        parser.error("two builds are compared, or one is kept with --save")
    sides = [Kept(path) if path.is_file() else Build(path) for path in options.what]
    seen = {case: ([], []) for case in cases}
    for _ in range(options.rounds):
        for side, target in enumerate(sides):
            for case, row in target.run(cases, options).items():
                seen[case][side].append(median_cycles(row))
    regressions = 0
    print(f"{'case':26} {'A':>7} {'B':>7}  {'B/A':>5}  rounds")
    for case, (before, after) in seen.items():
        ratios = [b / a for a, b in zip(before, after)]
        if not ratios:
            print(f"{case:26} was not kept")
            continue
        ratio = statistics.median(ratios)
        regressions += ratio > LIMIT
        print(f"{case:26} {statistics.median(before):7.1f} {statistics.median(after):7.1f}  "
              f"{ratio:5.3f}  {' '.join(f'{one:.3f}' for one in ratios)}"
              f"{'  REGRESSION' if ratio > LIMIT else ''}")
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())
