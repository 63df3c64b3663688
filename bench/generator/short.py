#!/usr/bin/python3
"""A short RFC 2544 and IMIX run over virtual wires: nezu-traffic on one core, the device on another.

    short.py --build build --out build/bench [--device nezu|testpmd]

Short for ./run bench: trials of a second or two where the RFC wants 60 and more. A rate between two cores
of a shared host follows the way of a cache line between them: it is timed beside each trial, and trials
beside a slow one are left out and said so.
"""
import argparse
import contextlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from nezu import Nezu, options, services  # noqa: E402
from wires import Wires  # noqa: E402

SHORT = ["--pause", 0.1, "--wait", 0.2, "--short", 0.3, "--deciding", 1, "--resolution", 3,
         "--retries", 2, "--flows", 1000, "--ways", "both"]


def device(kind, wires, stack):
    """What the generator is told of it."""
    if kind == "testpmd":
        wires.testpmd()
        return []
    nezu = stack.enter_context(Nezu(wires, sleeps=False))
    nezu.start()
    nezu.apply(services("nat"))
    return options()


def say(results):
    for one in results["throughput"]:
        rate = one["rate"]
        print(f"  {one['mix']:10} {rate['frames'] / 1e6:8.3f} Mpps each way, layer 1 "
              f"{rate['layer1_gbit']:.2f} Gbit/s, layer 2 {rate['layer2_gbit']:.2f}, limited by "
              f"{one['limited_by']}")
    for one in results["latency"]:
        print(f"  {one['mix']:10} latency at that rate: p50 {one['all']['p50'] / 1e3:.1f} us, "
              f"p99 {one['all']['p99'] / 1e3:.1f} us")
    left_out = sum(trial["repeated"] for trial in results["trials"])
    slow = sum(trial["slow"] for trial in results["trials"])
    print(f"  {len(results['trials'])} trials; {left_out} more were left out (cores far apart, or "
          f"the machine paused the generator), {slow} count though slow: nothing better came")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the reports")
    parser.add_argument("--device", choices=("nezu", "testpmd"), default="nezu")
    parser.add_argument("--sizes", default="64,512,1518")
    parser.add_argument("--most", type=float, default=0, help="highest rate [what can be offered]")
    parser.add_argument("--cores", default="0,1", help="of the device, of the generator")
    wanted = parser.parse_args()
    cores = wanted.cores.split(",")
    wanted.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        wires = stack.enter_context(Wires(wanted.build, cores, naps=False))
        told = device(wanted.device, wires, stack)
        print(f"{wanted.device}, UDP both ways through 1,000 flows, device on core {cores[0]}, "
              f"generator on core {cores[1]}")
        for method, more in (("rfc2544", ["--sizes", wanted.sizes, "--seconds", 2, "--repeats", 1]),
                             ("imix", ["--mix", "simple", "--mix", "csit"])):
            out = wanted.out / f"{wanted.device}-{method}"
            results = wires.traffic(
                method, *told, *SHORT, *more, "--bounce-core", cores[0], "--most", wanted.most,
                "--title", f"{wanted.device}, {method} over virtual wires (short)", "--html",
                f"{out.resolve()}.html", seconds=1800)
            pathlib.Path(f"{out}.json").write_text(json.dumps(results, indent=1))
            say(results)
            print(f"  {out}.html")


if __name__ == "__main__":
    main()
