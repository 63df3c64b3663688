#!/usr/bin/python3
"""usage: demo.py [--build FOLDER] [--once]   Nezu at work on real traffic, in namespaces of its own.

Every step is checked, not only shown. With --once the demo ends by itself, with status 0 only if
every step was seen to work; without, it stays until Ctrl-C. Either way it leaves nothing behind.
"""
import argparse
import pathlib
import shutil
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "system"))
from namespaces import Failure, wait_until  # noqa: E402
from world import HTTP, SERVERS, VIP, VIP6, World, number, result  # noqa: E402

PATIENCE = 2.0  # seconds after which no new request may go to a dead server


class Stage:
    """Prints what happens, and counts the steps that were not seen to work."""

    def __init__(self):
        self.failed = []
        self.colours = sys.stdout.isatty()

    def paint(self, colour, text):
        return f"\033[{colour}m{text}\033[0m" if self.colours else text

    def say(self, text):
        print(self.paint("1", f"\n== {text}"), flush=True)

    def show(self, text):
        print("\n".join("   " + line for line in text.rstrip().splitlines()), flush=True)

    def seen(self, text, worked):
        print(self.paint(32, "   ok      ") + text if worked
              else self.paint(31, "   FAILED  ") + text, flush=True)
        if not worked:
            self.failed.append(text)


class Requests:
    """A client that fetches on and on; what each of its requests met."""

    def __init__(self, world, vip, rate):
        self.name = "fetch6" if ":" in vip else "fetch4"
        self.file = world.folder / f"{self.name}.record"
        self.process = world.traffic("fetch", vip, HTTP, "--rate", rate, "--tolerant",
                                     "--record", self.file, name=self.name)

    def between(self, since, until=float("inf")):
        """(began, server or None) of the requests that began then."""
        lines = [line.split(" ", 3) for line in self.file.read_text().splitlines()]
        return [(float(began), what if outcome == "ok" else None)
                for began, _, outcome, what in lines if since <= float(began) < until]


def counts(requests):
    servers = [server for _, server in requests]
    return {name: servers.count(name) for name in [*SERVERS, None]}


def describe(count):
    text = ", ".join(f"{name} {count[name]}" for name in SERVERS)
    return text + (f", failed {count[None]}" if count[None] else ", none failed")


def spread(stage, clients, seconds, servers):
    """All of `servers` and nobody else answer, equally often."""
    since = time.monotonic()
    time.sleep(seconds)
    for client in clients:
        count = counts(client.between(since, time.monotonic() - 0.3))
        total = sum(count.values())
        fair = all(abs(count[name] - total / len(servers)) < total * 0.05 + 3 for name in servers)
        stage.seen(f"{client.name}: {describe(count)}",
                   total > 20 and fair and sum(count[name] for name in servers) == total)


def flows_opened(world, name):
    """To one server, both of its addresses, since the tables were made."""
    return sum(number(one["counters"], "flows_opened") for one in world.statistics()["servers"]
               if one["server"]["address"] in SERVERS[name])


def kill_and_return(stage, world, clients):
    web2 = world.servers["web2"]
    stage.say("web2 is killed, without a word to anybody")
    web2.kill_nginx()
    killed = time.monotonic()
    time.sleep(PATIENCE)
    opened = flows_opened(world, "web2")
    time.sleep(3)
    stage.seen("flows that Nezu has opened to it since then: "
               f"{flows_opened(world, 'web2') - opened}", flows_opened(world, "web2") == opened)
    for client in clients:
        early = counts(client.between(killed, killed + PATIENCE))
        late = counts(client.between(killed + PATIENCE, time.monotonic() - 0.3))
        failures = [began - killed for began, server in client.between(killed) if server is None]
        stage.show(f"{client.name}, the first {PATIENCE:g} s: {describe(early)}; last failure "
                   + (f"after {max(failures):.2f} s" if failures else "never"))
        stage.seen(f"{client.name}, later: {describe(late)}",
                   sum(late.values()) > 20 and late[None] == 0 and late["web2"] == 0)
    stage.show(world.nezu("server", "list"))

    stage.say("web2 is started again")
    web2.start_nginx()
    started = time.monotonic()
    try:
        for client in clients:
            wait_until("web2 answers", lambda one=client: counts(one.between(started))["web2"], 10)
        stage.seen(f"it is back after {time.monotonic() - started:.1f} s", True)
    except Failure:
        stage.seen("it came back", False)


def look(stage, world):
    """What the command line shows meanwhile."""
    for title, words, expected in (
            ("services", ("service", "list"), "web-fullnat"),
            ("servers", ("server", "list"), "10.0.0.12"),
            ("flows", ("flows", "--service", "web", "--limit", "5"), VIP),
            ("counters, rates and drops", ("stats",), "web")):
        stage.say(f"{title}: nezu {' '.join(words)}")
        output = world.nezu(*words, check=False)
        stage.show(output.stdout + output.stderr)
        stage.seen(f"{title} are shown", output.returncode == 0 and expected in output.stdout)


def perform(stage, world):
    stage.say("one pool of three nginx servers behind a virtual service: nezu apply")
    configuration = world.folder / "nezu.yaml"
    shutil.copy(HERE / "nezu.yaml", configuration)
    stage.show(world.nezu("apply", "-f", configuration).splitlines()[-1])

    stage.say("a page, over IPv4, by full NAT, and over IPv6")
    for url in (f"http://{VIP}/", f"http://{VIP}:8080/", f"http://[{VIP6}]/"):
        done = world.client.run("curl", "-sgf", "--max-time", "5", url, check=False)
        stage.seen(f"curl {url}: {done.stdout.strip() or 'nothing'}",
                   done.returncode == 0 and done.stdout.strip() in SERVERS)

    stage.say("64 clients fetch through the two addresses, each request a connection of its own")
    clients = [Requests(world, VIP, 40), Requests(world, VIP6, 40)]
    time.sleep(1)
    spread(stage, clients, 3, SERVERS)
    look(stage, world)
    kill_and_return(stage, world, clients)
    time.sleep(1)
    spread(stage, clients, 3, SERVERS)
    return clients


def stay(stage, world):
    """Until Ctrl-C: the visitor plays, in another shell."""
    nezu = f"{world.program('nezu')} {' '.join(map(str, world.cli_options))}"
    stage.say("the traffic goes on; Ctrl-C ends it and cleans up. In another shell:")
    stage.show(f"""alias nezu='{nezu}'
nezu top                                     # live
nezu server list; nezu stats; nezu flows --limit 10
nezu drain 10.0.0.13:80 --wait               # no new flows to web3
nezu set weight 10.0.0.11:80 3               # three times as many to web1
$EDITOR {world.folder}/nezu.yaml; nezu apply -f {world.folder}/nezu.yaml
ip netns exec {world.client.name} curl http://{VIP}/
kill -9 {world.controlplane.pid}                                 # the control plane: traffic goes on""")
    while True:
        time.sleep(1)
        if not world.dataplane.alive():
            raise Failure(world.dataplane.tail())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parents[1] / "build")
    parser.add_argument("--once", action="store_true", help="end when every step has been shown")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: cleaned up
    stage = Stage()
    try:
        stage.say("namespaces: clients, the load balancer, three servers; both programs start")
        with World(workers=2, build=options.build) as world:
            world.start()
            clients = perform(stage, world)
            if not options.once:
                stay(stage, world)
            for client in clients:
                client.process.stop()
                total = result(client.process)
                stage.show(f"{client.name} ended: {total['answers']} answers, "
                           f"{total['failed']} failures in all")
    except KeyboardInterrupt:
        stage.say("ended; everything is cleaned up")
    except Failure as failure:
        stage.seen(str(failure), False)
    if stage.failed:
        print(f"\n{len(stage.failed)} steps were not seen to work:", *stage.failed, sep="\n  ")
    elif options.once:
        stage.say("every step was seen to work")
    return 1 if stage.failed else 0


if __name__ == "__main__":
    sys.exit(main())
