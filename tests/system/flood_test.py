#!/usr/bin/python3
"""A flood at 90 % of the rate at which a worker still drains its port: ARP, health checks, the routing
daemon and downloads go on, on other ports and on the flooded one."""
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/generator"))
import recordings
from bgp import Bird
from case import Case, tap
from namespaces import Failure, plain_frames, wait_until, wire
from services import configuration, pool, service
from wires import Wires, memory
from world import BACK, FRONT, HTTP, VIP, World, number

# The flooded port: its twin, and who is played by the generator.
OUTSIDE, NETWORK, MAC = "203.0.113.1", "203.0.113.0", "02:00:00:00:00:10"
PLAYED, DISTANT = "203.0.113.101-203.0.113.110", "203.0.113.105"
STRANGER = "02:00:00:00:ee:01"
ROUTER = "10.0.0.20"
SECONDS, SHARE = 20, 0.9
# One CPU plays everybody: what is looked for is a check that does not get through, not a late one.
CHECK = "{{ {kind}: {{}}, interval_ms: 1000, timeout_ms: 1000, rise: 1, fall: 2 }}"
DISCARD, GUARDED = 9, 8080
# CPUs: one for the worker, as on any machine that forwards; the other for all else. There the
# generator goes before everybody, takes what its frames need, and sleeps in between.
WORKER, OTHERS = "0", "1"
TRIES = 4  # of an ARP question, a second each, as kernels ask


def everything():
    services = [service("http", "http", HTTP, 0),
                service("guarded", "http", GUARDED, 0) + "\n  syn_cookies: {}",
                service("discard", "discard", DISCARD, 0, "udp")]
    # The flood's own server is behind the flooded port, so that no slower link takes part.
    pools = [pool("http", HTTP, 0).replace("  servers:", f"  check: {CHECK.format(kind='http')}\n"
                                           "  servers:"),
             f"- name: discard\n  protocol: udp\n  check: {CHECK.format(kind='icmp')}\n"
             f"  servers: [{{ address: {DISTANT}, port: {DISCARD} }}]"]
    return configuration(services, pools)


class FloodWorld(World):
    """As any, with a third port whose other end is the generator."""

    def __init__(self):
        super().__init__(flows=65536)
        self.wires = Wires(self.build, cores=(WORKER, OTHERS), naps=True, sides=("outside",))

    def __enter__(self):
        self.wires.__enter__()
        return super().__enter__()

    def close(self):
        super().close()
        self.wires.__exit__(None)

    def build_network(self):
        super().build_network()
        self.router = self.namespace("router")
        wire(self.router, "eth0", self.switch, "router")
        self.switch.ip("link", "set", "router", "master", "bridge")
        self.router.address("eth0", f"{ROUTER}/24")

    def start_dataplane(self, workers=None):
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            self.program("nezu-dataplane"),
            "--port", "name=outside,dev=net_memif0", "--port", "name=front,dev=net_af_packet0",
            "--port", "name=back,dev=net_af_packet1", "--workers", 1,
            "--region-dir", self.region_folder, "--state-dir", self.folder / "dataplane",
            "--flows", self.flow_limit, "--flows6", 1024, "--",
            "--lcores", f"0@{OTHERS},1@{WORKER}", *memory(192), *self.wires.vdevs("server", macs=True),
            "--vdev", "net_af_packet0,iface=front", "--vdev", "net_af_packet1,iface=back"))
        for task in pathlib.Path(f"/proc/{self.dataplane.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "worker-0":
                os.setpriority(os.PRIO_PROCESS, int(task.name), -20)  # as if nobody else were there

    def address_twins(self):
        super().address_twins()
        plain_frames(self.lb, "nz-outside")
        self.lb.ip("link", "set", "nz-outside", "up")
        self.lb.address("nz-outside", f"{OUTSIDE}/24")
        self.lb.ip("route", "add", "198.18.0.0/15", "via", DISTANT)

    def flood(self, recording, *options):
        """One run of the generator at its end of the flooded port, which is still going."""
        file = self.folder / f"flood-{len(self.wires.programs)}.json"
        program = self.wires.start("traffic", *self.wires.traffic_words(
            "flood", "--left", f"dev=net_memif0,queues=2,gateway={OUTSIDE}", "--clients", PLAYED,
            "--servers", PLAYED, "--flows", 1, "--recording", recording, "--ask", 0.5,
            "--json", file, *options))
        wait_until("it is about to flood", lambda: "A flood counts" in program.log.read_text(), 30)
        os.sched_setscheduler(program.child.pid, os.SCHED_FIFO, os.sched_param(1))
        return program, file


def ended(program, file, seconds):
    if program.wait(seconds) != 0:
        raise Failure(program.tail())
    return json.loads(file.read_text())


class Asker(threading.Thread):
    """Forgets a neighbour and asks for it anew, again and again."""

    def __init__(self, namespace, host):
        super().__init__()
        self.namespace, self.host = namespace, host
        self.going, self.asked, self.most, self.silent = True, 0, 0, False
        self.start()

    def run(self):
        while self.going:
            self.namespace.run("ip", "neigh", "flush", "to", self.host, check=False)
            tries = next((tries for tries in range(1, TRIES + 1) if self.is_found()), None)
            self.asked += 1
            if tries is None:
                self.silent = True
            else:
                self.most = max(self.most, tries)
            time.sleep(0.2)

    def is_found(self):
        """One question, its answer and a ping; a neighbour alone does for whoever sends no echo."""
        done = self.namespace.run("ping", "-c", 1, "-W", 1, self.host, check=False)
        seen = self.namespace.run("ip", "neigh", "show", "to", self.host)
        return done.returncode == 0 or "lladdr" in seen

    def end(self):
        self.going = False
        self.join(30)


class Loader(threading.Thread):
    """Downloads by the clients' port, one after the other."""

    def __init__(self, world, port):
        super().__init__()
        self.world, self.port = world, port
        self.going, self.done, self.broken = True, 0, []
        self.start()

    def run(self):
        while self.going:
            done = self.world.client.run(
                "curl", "-sS", "--max-time", 20, "-o", "/dev/null", "-w",
                "%{http_code} %{size_download}", f"http://{VIP}:{self.port}/large", check=False)
            if done.stdout == f"200 {4 << 18}":
                self.done += 1
            else:
                self.broken.append(done.stdout + done.stderr)
            time.sleep(0.1)

    def end(self):
        self.going = False
        self.join(30)


def good_checks(world):
    """Server -> checks that were good in a row, 0 while it is not healthy."""
    good = {}
    for (host, port), one in world.servers_seen().items():
        seen = number(world.nezu_json("check", "explain", f"{host}:{port}"), "good_in_a_row")
        good[f"{host}:{port}"] = seen if one["health"].upper().endswith("HEALTHY") else 0
    return good


class Beside:
    """All that must go on beside a flood."""

    def __init__(self, world, ports):
        self.world = world
        self.watch = world.process(f"watch-{len(world.processes)}", world.program("nezu"),
                                   *world.cli_options, "watch", "servers", "--changes-only")
        self.good = good_checks(world)
        self.askers = [Asker(world.router, BACK), Asker(world.client, FRONT),
                       Asker(world.client, VIP), Asker(world.lb, DISTANT)]
        self.loaders = [Loader(world, port) for port in ports]

    def end(self):
        for one in self.askers + self.loaders:
            one.end()
        later = good_checks(self.world)
        self.bad = [server for server, good in self.good.items() if later[server] < good]

    def changes(self):
        """What became of servers; the watch ends."""
        alive = self.watch.alive()
        self.watch.stop()
        return self.watch.log.read_text() if alive else self.watch.tail()

    def wrong(self):
        silent = [f"{one.host} was silent" for one in self.askers if one.silent or not one.asked]
        broken = [str(one.broken) for one in self.loaders if one.broken or not one.done]
        return silent + broken

    def report(self):
        asked = ", ".join(f"{one.host} {one.asked} times in up to {one.most} tries"
                          for one in self.askers)
        return (f"neighbours found anew: {asked}; {sum(one.done for one in self.loaders)} downloads; "
                f"servers with a bad check: {self.bad or 'none'}")


class Flood(Case):
    configuration = everything()

    @classmethod
    def setUpClass(cls):
        os.sched_setaffinity(0, {int(OTHERS)})
        cls.world = world = FloodWorld().__enter__()
        cls.addClassCleanup(world.close)
        try:
            world.start()
            world.apply(cls.configuration)
            cls.ours = Bird(world, world.lb, BACK, ROUTER, (65001, 65002), [f"{VIP}/32"])
            cls.theirs = Bird(world, world.router, ROUTER, BACK, (65002, 65001))
            wait_until("the session is up", lambda: cls.ours.session() and cls.theirs.session(), 20)
            wait_until("the VIP is told", lambda: cls.theirs.has_route(f"{VIP}/32"))
        except Exception:
            print(world.explain())
            raise

    def highest(self, recording):
        """Frames a second that the worker takes from its port when there are more; what there were."""
        program, file = self.world.flood(recording, "--seconds", 1, "--pause", 1,
                                         "--wait", 0.5)
        trial = ended(program, file, 30)["trials"][0]
        return trial["offered_rate"] * (1 - trial["loss"]), trial["offered_rate"]

    def sessions(self):
        return self.ours.session(), self.theirs.session()

    def received_per_second(self):
        return self.world.statistics()["workers"][0]["received_per_second"]

    def withstands(self, name, frames, downloads=(HTTP, GUARDED)):
        """More of each drop reason. `downloads`: by these ports of the VIP."""
        world = self.world
        recording = recordings.write(world.folder / f"{name}.pcap", frames)
        rate, most = self.highest(recording)
        # It plays its hosts before the flood, for their checks, and behind it until all was asked.
        program, file = world.flood(recording, "--rate", int(SHARE * rate), "--seconds", SECONDS,
                                    "--retries", 0, "--pause", 5, "--wait", 12)
        wait_until("all servers are healthy", lambda: all(good_checks(world).values()), 20)
        wait_until("the session is up", lambda: all(self.sessions()), 20)
        sessions, drops, beside = self.sessions(), world.drops(), Beside(world, downloads)
        wait_until("the flood is here", lambda: self.received_per_second() > rate / 10, 20)
        until, busy = time.monotonic() + SECONDS, []
        while time.monotonic() < until:
            time.sleep(1)
            busy.append(world.statistics()["workers"][0]["busy_share"])
        beside.end()
        changes, later = beside.changes(), self.sessions()
        more = {reason: count - drops.get(reason, 0) for reason, count in world.drops().items()}
        trial = ended(program, file, 60)["trials"][0]
        print(f"# {name}: {rate / 1e6:.3f} of {most / 1e6:.3f} Mpps drained; "
              f"{trial['offered_rate'] / 1e6:.3f} offered for {trial['seconds']:.0f} s, "
              f"{trial['loss']:.2%} not taken, worker busy up to {max(busy):.0%}; {beside.report()}; "
              f"gateway: {trial['answered']} of {trial['asked']} answers, {trial['unanswered']} "
              f"missing in a row; { {reason: count for reason, count in more.items() if count} }")
        self.assertEqual("", changes, "the state of a server changed")
        self.assertEqual(sessions, later, "the session was up all the time")
        self.assertEqual([], beside.wrong())
        self.assertLess(number(trial, "unanswered"), TRIES, "asked twice a second")
        return more

    def test_1_openings_towards_a_vip(self):
        more = self.withstands("openings", recordings.packets(
            [(recordings.syn, GUARDED)], 50000, MAC, STRANGER, VIP))
        self.assertGreater(more["cookie_sent"], 0)

    def test_2_new_flows_towards_a_vip(self):
        # Nobody answers them: they fill their share of the table, and only who completes a
        # handshake by a cookie gets a flow beside them.
        more = self.withstands("flows", recordings.packets(
            [(recordings.datagram, DISCARD)], 100000, MAC, STRANGER, VIP), downloads=[GUARDED])
        self.assertGreater(more["embryonic_limit"], 0)

    def test_3_packets_to_the_kernel(self):
        more = self.withstands("kernel", recordings.packets(
            [(recordings.syn, 179), (recordings.syn, 22), (recordings.datagram, 161),
             (recordings.ping, 0)], 50000, MAC, STRANGER, OUTSIDE))
        self.assertGreater(more["twin_full"], 0)

    def test_4_questions(self):
        more = self.withstands("questions", recordings.questions(10000, OUTSIDE, NETWORK))
        self.assertEqual(0, more.get("twin_full", 0), "the worker answers what the kernel cannot")


if __name__ == "__main__":
    tap.main()
