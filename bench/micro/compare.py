#!/usr/bin/env python3
"""Instructions per round of every micro case, counted by callgrind, and the claims held: a case with
a counterpart needs at most 5 % more instructions than it. Ends with 1 if one does not.

    bench/micro/compare.py BUILD_DIRECTORY [GROUP...]

Counts do not depend on how busy the machine is. Each case runs for two numbers of rounds; what both
have in common (start, making packets) falls out of the difference.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

FEW, MANY = 8000, 40000  # whole passes, so that packets are renewed in proportion
ALLOWED = 1.05


def instructions(program, group, name, rounds):
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             program, group, name, str(rounds)],
            capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or found is None:
        sys.exit(f"{group}/{name}: callgrind failed\n{result.stderr}")
    return int(found.group(1))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]) / "bench" / "micro" / "nezu-count-micro")
    listed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    counted, failed = {}, []
    print(f"{'case':<36}{'instructions':>13}  {'of counterpart':>14}")
    for line in listed.splitlines():
        group, name, against = line.split()
        if len(sys.argv) > 2 and group not in sys.argv[2:]:
            continue
        spent = instructions(program, group, name, MANY) - instructions(program, group, name, FEW)
        counted[group, name] = spent / (MANY - FEW)
        text = ""
        if against != "-":
            ratio = counted[group, name] / counted[group, against]
            text = f"{ratio:.3f}"
            if ratio > ALLOWED:
                failed.append(f"{group}/{name}")
                text += " !"
        print(f"{group + '/' + name:<36}{counted[group, name]:>13.1f}  {text:>14}", flush=True)
    if failed:
        sys.exit("more than 5 % above their counterparts: " + ", ".join(failed))


if __name__ == "__main__":
    main()
