#!/usr/bin/python3
"""Change under traffic, at Nezu between virtual wires: what each change costs flows that go on.

    change.py --build build --rate 20000 --held 1000 --json out.json --html out.html

Each change is a command that nezu-traffic runs while frames go both ways (bench/README.md), or one of the
servers that it plays falling silent.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from nezu import CHECK, SERVERS, Nezu, options, services  # noqa: E402
from wires import Wires  # noqa: E402


def push(nezu, cli, name, text):
    file = nezu.folder / f"{name.replace(' ', '-')}.yaml"
    file.write_text(text)
    return name, f"{cli} apply -f {file} > {nezu.folder}/push.log 2>&1"


def pushes(nezu, cli, counts):
    """The same services, and so many more; each push on top of the last."""
    for count in counts:
        yield push(nezu, cli, f"push of {count}", services("nat", extra=count))


def events(nezu, counts):
    cli = nezu.command_line()
    yield from pushes(nezu, cli, counts)
    for name, verb, server in (("server drained", "drain {}", SERVERS[0]),
                               ("server disabled", "set state {} disabled", SERVERS[1])):
        yield name, " && ".join(f"{cli} {verb.format(server + port)} > {nezu.folder}/set.log 2>&1"
                                for port in (":7/udp", ":7"))
    # From here on, so that nothing before is judged by checks.
    yield push(nezu, cli, "health checks begin", services("nat", extra=counts[-1], check=CHECK))
    yield "server failed", f"mute {SERVERS[2]}"
    yield "server back", f"unmute {SERVERS[2]}"
    yield "control plane killed", f"kill -9 {nezu.controlplane.pid}"
    yield "data plane restarted", nezu.wires.restart(nezu.dataplane.pid, nezu.dataplane.command,
                                                     ready="generation")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rate", type=int, default=20000, help="frames a second each way")
    parser.add_argument("--held", type=int, default=1000, help="TCP connections")
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--pushes", default="1,100,10000", help="services of each push")
    parser.add_argument("--naps", action="store_true", help="sleep when idle: on shared cores")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--html", type=pathlib.Path)
    wanted = parser.parse_args()
    out = [word for name in ("json", "html") if getattr(wanted, name)
           for word in (f"--{name}", getattr(wanted, name).resolve())]
    counts = [int(count) for count in wanted.pushes.split(",")]
    with Wires(wanted.build, naps=wanted.naps) as wires, Nezu(
            wires, sleeps=wanted.naps, most=max(counts) + 1000) as nezu:
        try:
            nezu.start()
            nezu.apply(services("nat"))
            words = [word for name, command in events(nezu, counts)
                     for word in ("--event", f"{name}={command}")]
            traffic = wires.start("traffic", *wires.traffic_words(
                "change", *options(), "--ways", "both", "--sizes", 64, "--rate", wanted.rate,
                "--flows", wanted.flows, "--held", wanted.held, "--pause", 0.5, "--wait", 1,
                "--title", "Nezu: change under traffic", *out, *words))
            status = traffic.wait(600)
            print(traffic.log.read_text())
            return status
        finally:
            wires.end_again()


if __name__ == "__main__":
    sys.exit(main())
