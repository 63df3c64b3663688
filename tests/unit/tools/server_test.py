#!/usr/bin/python3
"""usage: server_test.py NEZU NEZU-CONTROLPLANE   the command line on a real control plane (TAP).

The control plane has folders of its own and no data plane; every command runs as a person would
run it.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

NEZU, CONTROLPLANE = map(os.path.abspath, sys.argv[1:3])

SHOP = """
services:
- {name: shop, address: 203.0.113.10, port: 80, mode: fullnat, pool: web, snat_set: out}
pools:
- name: web
  scheduler: wrr
  check: {tcp: {}, interval_ms: 200, timeout_ms: 200}
  servers:
  - {address: 10.0.0.11, port: 80, description: web1}
  - {address: 10.0.0.12, port: 80}
snat_sets:
- {name: out, addresses: [10.0.0.100]}
"""


def make_certificates(folder):
    """An authority, and one certificate each for the control plane and for a client."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    with open(f"{folder}/names", "w") as names:
        names.write("subjectAltName=DNS:nezu.example,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.pem")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    """A control plane in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = f"{folder}/api.sock"
        for name in ("region", "state"):
            os.mkdir(f"{folder}/{name}")
        make_certificates(folder)
        self.tls = f"127.0.0.1:{free_port()}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [CONTROLPLANE, "--region-dir", f"{self.folder}/region", "--state-dir",
             f"{self.folder}/state", "--listen", f"unix:{self.socket}", "--heap-mib", "8",
             "--listen-tls", self.tls, "--cert", f"{self.folder}/server.pem", "--key",
             f"{self.folder}/server.key", "--client-ca", f"{self.folder}/ca.pem"],
            stderr=open(f"{self.folder}/log", "a"))
        for _ in range(200):
            if self.nezu("system").returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("the control plane did not start: " + open(f"{self.folder}/log").read())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def nezu(self, *arguments, text=""):
        environment = {**os.environ, "NEZU_SERVER": f"unix:{self.socket}"}
        return subprocess.run([NEZU, *arguments], input=text, capture_output=True, text=True,
                              timeout=60, cwd=self.folder, env=environment)

    def ok(self, *arguments, text=""):
        """Standard output of a command that must succeed."""
        ran = self.nezu(*arguments, text=text)
        assert ran.returncode == 0, f"nezu {arguments}: {ran.returncode}\n{ran.stderr}"
        return ran.stdout

    def refused(self, status, *arguments, text=""):
        """Standard error of a command that must end with this status."""
        ran = self.nezu(*arguments, text=text)
        assert ran.returncode == status, f"nezu {arguments}: {ran.returncode}\n{ran.stderr}"
        return ran.stderr


def applies_once_and_then_nothing(world):
    checked = world.ok("apply", "-f", "-", "--check", text=SHOP)
    assert "would be" in checked and "scheduler: wrr" in checked, checked
    assert world.ok("get", "-o", "json").strip() in ("{}", "") or "shop" not in world.ok("get")
    applied = world.ok("apply", "-f", "-", "--comment", "first", text=SHOP)
    assert '+ services["shop"]' in applied and "revision 1" in applied, applied
    assert "nothing changed" in world.ok("apply", "-f", "-", text=SHOP)


def what_get_prints_can_be_applied(world):
    for form in ("yaml", "json"):
        whole = world.ok("get", "-o", form)
        assert "nothing changed" in world.ok("apply", "-f", "-", text=whole)


def names_every_problem_by_its_path(world):
    bad = SHOP.replace("port: 80, mode", "port: 70000, mode").replace("pool: web,", "pool: wep,")
    error = world.refused(1, "apply", "-f", "-", text=bad)
    assert 'services["shop"].port' in error and "did you mean web?" in error, error
    error = world.refused(1, "apply", "-f", "-", "--check", text=bad)
    assert "2 problems" in error and "70000" in error, error
    error = world.refused(2, "apply", "-f", "-", text=SHOP.replace("scheduler", "schedular"))
    assert 'pools["web"].schedular' in error, error


def refuses_another_revision(world):
    error = world.refused(5, "apply", "-f", "-", "--expect-revision", "77", text=SHOP)
    assert "77" in error, error


def changes_single_resources(world):
    world.ok("pool", "create", "dns", "protocol=udp", "scheduler=mh")
    world.ok("server", "create", "dns", "[2001:db8:1::21]:53/udp", "weight=3")
    world.ok("server", "update", "dns", "[2001:db8:1::21]:53/udp", "weight=5", "description=a b: c")
    world.ok("service", "create", "dns", "address=2001:db8::53", "port=53", "protocol=udp",
             "pool=dns")
    world.ok("service", "update", "dns", "timeouts.udp_s=20", "enabled=false")
    assert " for" not in world.ok("service", "list"), "no service is for some clients"
    world.ok("service", "update", "dns", "sources=2001:db8:7::/64,2001:db8:8::/64",
             "interfaces=back")
    listed = world.ok("service", "list")
    assert "2001:db8:7::/64 +1 by back" in listed, listed
    world.ok("service", "update", "dns", "sources=", "interfaces=")
    shown = json.loads(world.ok("service", "show", "dns", "-o", "json"))
    assert "sources" not in shown and "interfaces" not in shown, shown
    assert shown["timeouts"]["udp_s"] == 20 and shown["enabled"] is False, shown
    member = json.loads(
        world.ok("server", "show", "[2001:db8:1::21]:53/udp", "--pool", "dns", "-o", "json"))
    assert member["weight"] == 5 and member["description"] == "a b: c", member
    assert "[2001:db8::53]:53" in world.ok("service", "list")
    assert "used by" in world.refused(1, "pool", "delete", "dns")
    world.ok("access", "deny", "--service", "dns", "2001:db8:bad::/48", "192.0.2.9")
    world.ok("access", "allow", "--service", "dns", "2001:db8:bad:1::/64")
    world.ok("access", "remove", "--service", "dns", "192.0.2.9/32")
    shown = json.loads(world.ok("service", "show", "dns", "-o", "json"))["access"]
    assert shown == {"allow": ["2001:db8:bad:1::/64"], "deny": ["2001:db8:bad::/48"]}, shown
    world.ok("access", "deny", "198.51.100.0/24")
    assert "198.51.100.0/24" in world.ok("get")
    refused = world.nezu("access", "remove", "203.0.113.0/24")
    assert refused.returncode != 0 and "in neither list" in refused.stderr, refused
    world.ok("access", "remove", "198.51.100.0/24")
    refused = world.nezu("server", "return", "10.0.0.11:80")
    assert refused.returncode != 0 and "10.0.0.11:80" in refused.stderr, refused
    world.ok("service", "delete", "dns")
    world.ok("server", "delete", "dns", "[2001:db8:1::21]:53/udp")
    world.ok("pool", "delete", "dns")
    world.ok("snat", "update", "out", "addresses=10.0.0.100,10.0.0.104/30")
    assert "10.0.0.104/30" in world.ok("snat", "list")
    world.refused(4, "service", "show", "nobody")


def sets_weights_and_states(world):
    world.ok("set", "weight", "10.0.0.12:80", "7")
    world.ok("set", "state", "10.0.0.12:80", "disabled")
    servers = {s["server"]["address"]: s for s in
               json.loads(world.ok("server", "list", "-o", "json"))["servers"]}
    assert servers["10.0.0.12"]["weight"] == 7 and servers["10.0.0.12"]["state"] == "disabled"
    world.refused(4, "set", "weight", "10.0.0.99:80", "1")


def drains_and_waits(world):
    out = world.ok("drain", "10.0.0.12:80", "--deadline", "30s", "--wait")
    assert "0 flows left" in out, out
    assert "draining" in world.ok("server", "list", "--pool", "web")
    world.ok("set", "state", "10.0.0.12:80", "ready")


def shows_history_and_rolls_back(world):
    history = json.loads(world.ok("history", "-n", "100", "-o", "json"))["entries"]
    assert history[-1]["comment"] == "first" and history[-1]["added"] == 5, history
    assert "weight: 1 -> 7" in world.ok("diff", "--from", "1", "--to",
                                        str(history[0]["revision"]))
    world.ok("rollback", "1")
    assert world.ok("get") == world.ok("get", "--revision", "1")
    world.refused(4, "rollback", "4711")
    world.refused(2, "rollback", "0")  # not the default, which 0 is to the API


def shows_what_happens(world):
    statistics = json.loads(world.ok("stats", "-o", "json"))
    assert statistics["services"][0]["name"] == "shop", statistics
    assert "shop" in world.ok("stats", "services", "--service", "shop")
    assert "DATA PLANE NOT RUNNING" in world.ok("top", "--once")
    assert world.ok("top", "-n", "2", "-d", "0.1").count("DATA PLANE NOT RUNNING") == 2
    lines = [json.loads(line) for line in world.ok("watch", "--once", "-o", "json").splitlines()]
    assert lines[-1]["initial_complete"] and any("server" in line for line in lines), lines
    explained = world.ok("check", "explain", "10.0.0.11:80")
    assert "tcp" in explained and "pool web" in explained, explained
    world.refused(4, "check", "explain", "10.0.0.99:80")
    assert "data plane" in world.refused(3, "flows")


def watches_changes(world):
    watch = subprocess.Popen([NEZU, "--server", f"unix:{world.socket}", "watch", "servers"],
                             stdout=subprocess.PIPE, text=True)
    try:
        while watch.stdout.readline().split()[2] != "now":  # the present state
            pass
        world.ok("set", "state", "10.0.0.11:80", "disabled")
        while "10.0.0.11:80 disabled" not in watch.stdout.readline():
            pass
    finally:
        watch.terminate()
        watch.wait()
    world.ok("set", "state", "10.0.0.11:80", "ready")


def shows_tables_and_system(world):
    tables = world.ok("tables")
    assert f"{world.folder}/region/region-" in tables and "(ours)" in tables, tables
    assert json.loads(world.ok("tables", "-o", "json"))["regions"][0]["state"] == "ready"
    assert "not running" in world.ok("system")


def explains_nothing_without_data_plane(world):
    packet = ("--port", "front", "tcp", "192.0.2.7:4000", "192.0.2.10:80")
    assert "No data plane" in world.refused(3, "explain", *packet)
    for wrong in (("--port", "front"), ("--port", "front", "tcp", "192.0.2.7:4000"),
                  ("--port", "front", "--frame", "0x00"), (*packet, "--frame", "00"),
                  ("--port", "front", "tcp", "192.0.2.7", "192.0.2.10:80"),
                  ("--port", "front", "--pcap", "/nowhere"), packet[2:]):
        world.refused(2, "explain", *wrong)


def speaks_mutual_tls(world):
    keys = ["--tls-ca", "ca.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"]
    assert "shop" in world.ok("--server", world.tls, *keys, "service", "list")
    assert "shop" in world.ok("--server", world.tls, *keys, "--tls-name", "nezu.example", "get")
    world.refused(2, "--server", world.tls, "get")
    world.refused(2, "--server", world.tls, *keys[:-1], "missing.key", "get")
    stranger = ["--tls-ca", "client.pem", "--tls-cert", "client.pem", "--tls-key", "client.key"]
    assert world.tls in world.refused(3, "--server", world.tls, *stranger, "--timeout", "5s", "get")


def bundles_support(world):
    world.ok("support", "-f", "bundle.tar.gz")
    with tarfile.open(f"{world.folder}/bundle.tar.gz") as bundle:
        names = {name.split("/", 1)[1] for name in bundle.getnames()}
    assert {"configuration.yaml", "system.yaml", "checks.json", "state.json", "history.yaml",
            "statistics-2.yaml", "host/addresses.txt", "errors.txt"} <= names, names


def source_nat_rules_come_and_go(world):
    world.ok("snat", "create", "outwards", "addresses=192.0.2.77,2001:db8::77")
    out = world.ok("source-nat", "create", "out", "networks=10.0.1.9/24,fd00:1::/64",
                   "interfaces=back.100", "snat_set=outwards", "timeouts.udp_s=60")
    assert 'source_nats["out"]' in out, out
    assert "10.0.1.0/24, fd00:1::/64" in world.ok("source-nat", "list")
    shown = world.ok("source-nat", "show", "out")
    assert "udp_s: 60" in shown and "order: 100" in shown, shown
    world.ok("source-nat", "update", "out", "order=7")
    assert "source_nats:" in world.ok("get")
    assert "order: 7" in world.ok("source-nat", "show", "out")
    assert "source NAT rule out" in world.refused(1, "snat", "delete", "outwards")
    world.refused(4, "source-nat", "show", "other")
    world.ok("source-nat", "delete", "out")
    world.ok("rollback")
    assert "order: 7" in world.ok("source-nat", "show", "out")
    world.ok("source-nat", "delete", "out")
    world.ok("snat", "delete", "outwards")


def streams_what_one_message_cannot_hold(world):
    pools = "".join(f"- name: pool-{i}\n  description: {'x' * 200}\n  servers:\n"
                    f"  - {{address: 10.1.{i >> 8}.{i & 255}, port: 80}}\n" for i in range(3000))
    text = "pools:\n" + pools + "  - {address: 10.2.0.1, port: 80, description: " + "y" * 60 + "}\n"
    text += "".join(f"  - {{address: 10.{3 + i // 65536}.{i // 256 % 256}.{i % 256}, port: 80,"
                    f" description: {'z' * 60}}}\n" for i in range(11000))
    text += "".join(f"- {{name: big-{i}, description: {'x' * 255}, check: {{http: {{path: /"
                    f"{'p' * 1000}, body_regex: {'r' * 1000}}}}}}}\n" for i in range(1000))
    assert len(text) > 4 << 20  # and most of it is text that takes as much room in a message
    out = world.ok("apply", "-f", "-", text=text)
    assert "added" in out and len(out.splitlines()) < 120, out[:1000]
    assert "nothing changed" in world.ok("apply", "-f", "-", text=world.ok("get"))
    world.ok("apply", "-f", "-", text=SHOP)


def comes_back_as_it_was(world):
    before = world.ok("get")
    world.stop()
    assert "socket" in world.refused(3, "get")
    world.start()
    assert world.ok("get") == before


def main():
    tests = [value for name, value in globals().items()
             if callable(value) and name not in ("World", "main", "free_port",
                                                       "make_certificates") and
             getattr(value, "__module__", "") == "__main__"]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="nezu-cli-") as folder:
        world = World(folder)
        try:
            for number, test in enumerate(tests, 1):
                try:
                    test(world)
                    print(f"ok {number} - {test.__name__}", flush=True)
                except Exception as error:  # one failure must not hide the next
                    failed += 1
                    print(f"not ok {number} - {test.__name__}", flush=True)
                    print("# " + repr(error).replace("\n", "\n# "), flush=True)
        finally:
            world.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
