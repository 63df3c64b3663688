"""A small network around Nezu: clients, the load balancer, three servers; see README.md.

    with World() as world:
        world.start()                       # both programs, twins with addresses
        world.apply(CONFIGURATION)          # by the command line
        world.client.run("curl", "http://192.0.2.10/")
"""
import functools
import json
import os
import pathlib
import select
import shutil
import socket
import tempfile
import time

from namespaces import (Failure, Namespace, Process, hide_from_kernel, plain_frames, run, sweep,
                        wait_until, wire)

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["/usr/bin/python3", str(HERE / "peers.py")]

# Addresses of documentation only (RFC 5737, RFC 3849) and private ones.
FRONT, FRONT6 = "192.0.2.1", "2001:db8:1::1"
BACK, BACK6 = "10.0.0.1", "2001:db8:2::1"
VIP, VIP6 = "192.0.2.10", "2001:db8:1::10"
SNAT, SNAT6 = "10.0.0.100-10.0.0.103", "2001:db8:2::100-2001:db8:2::103"
SERVERS = {"web1": ("10.0.0.11", "2001:db8:2::11"), "web2": ("10.0.0.12", "2001:db8:2::12"),
           "web3": ("10.0.0.13", "2001:db8:2::13")}
CLIENTS = [f"192.0.2.{number}" for number in range(101, 165)]
CLIENTS6 = [f"2001:db8:1::1:{number:x}" for number in range(1, 65)]
HTTP, ECHO, IPERF = 80, 7, 5201

HUGE = pathlib.Path("/dev/hugepages")
FOLDER = "nezu-world-"  # and the test's pid
# The control plane is nobody: it may only send pings.
UNPRIVILEGED = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", "--pdeathsig", "KILL", "--"]

NGINX = """
daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}-error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/{name}-access.log combined;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 80 backlog=1024; listen [::]:80 backlog=1024; root {folder}/www;
    add_header X-Server {name} always;
    location = / {{ default_type text/plain; return 200 "{name}\\n"; }}
  }}
}}
"""


class Server:
    """A real server: a namespace with nginx, the echo server and iperf3."""

    def __init__(self, world, name, addresses):
        self.world, self.name = world, name
        self.address, self.address6 = addresses
        self.namespace = world.namespace(name)
        wire(self.namespace, "eth0", world.switch, name)
        world.switch.ip("link", "set", name, "master", "bridge")
        self.namespace.address("eth0", f"{self.address}/24", f"{self.address6}/64")
        self.namespace.ip("route", "add", "default", "via", BACK)
        self.namespace.ip("-6", "route", "add", "default", "via", BACK6)
        self.nginx = None

    def start(self):
        self.start_nginx()
        self.world.process(f"{self.name}-echo", *self.namespace.command(
            *PEERS, "serve", self.name, ECHO))
        wait_until(f"the echo of {self.name} listens", lambda: self.listens(ECHO))

    def start_echo_at(self, port, hosts):
        """Another echo, that answers from the very address that was asked."""
        self.world.process(f"{self.name}-echo-{port}", *self.namespace.command(
            *PEERS, "serve", self.name, port, "--at", ",".join(hosts)))
        wait_until(f"the echo of {self.name} listens", lambda: self.listens(port))

    def start_nginx(self):
        folder = self.world.folder
        configuration = folder / f"{self.name}.conf"
        configuration.write_text(NGINX.format(folder=folder, name=self.name))
        self.nginx = self.world.process(f"{self.name}-nginx", *self.namespace.command(
            "nginx", "-c", configuration, "-e", folder / f"{self.name}-error.log"))
        wait_until(f"nginx of {self.name} listens", lambda: self.listens(HTTP))

    def start_iperf(self):
        self.world.process(f"{self.name}-iperf3", *self.namespace.command("iperf3", "-s"))
        wait_until(f"iperf3 of {self.name} listens", lambda: self.listens(IPERF))

    def listens(self, port):
        return self.namespace.run("ss", "-Hltn", f"sport = :{port}").strip() != ""

    def kill_nginx(self):
        """As a crash: master and worker die at once, without a word to their clients."""
        workers = run("pgrep", "-P", self.nginx.pid, check=False).stdout.split()
        self.nginx.kill()
        for pid in workers:
            os.kill(int(pid), 9)
        wait_until("the port is closed", lambda: not self.listens(HTTP))


class World:
    def __init__(self, workers=1, build=None, flows=65536, keep=False, dataplane_options=()):
        self.build = pathlib.Path(build or os.environ.get("NEZU_BUILD", "build")).resolve()
        self.workers, self.flow_limit, self.keep = workers, flows, keep
        self.dataplane_options = dataplane_options  # FOLDER stands for the world's folder
        self.namespaces, self.processes = [], []
        self.dataplane = self.controlplane = None
        self.sided = False  # the ports are told who sends into them

    def __enter__(self):
        sweep()
        sweep_folders()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        # nginx gives up root for its worker, which must be able to read its pages.
        self.folder.chmod(0o755)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify.sock"))
        (self.folder / "notify.sock").chmod(0o777)
        self.notify.settimeout(0.1)
        # Each world has its region in a folder of its own, in huge pages where there are some.
        self.huge = huge_pages_free()
        self.region_folder = (HUGE if self.huge else self.folder) / self.folder.name
        try:
            self.build_network()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind and issubclass(kind, Exception):
            print(self.explain())
        self.close()

    def build_network(self):
        (self.folder / "www").mkdir()
        (self.folder / "www" / "large").write_bytes(b"nezu" * (1 << 18))
        self.client, self.lb, self.switch = map(self.namespace, ("client", "lb", "switch"))
        self.switch.ip("link", "add", "bridge", "type", "bridge")
        self.switch.ip("link", "set", "bridge", "up")
        wire(self.client, "eth0", self.lb, "front")
        wire(self.switch, "lb", self.lb, "back")
        self.switch.ip("link", "set", "lb", "master", "bridge")
        self.client.address("eth0", *(f"{one}/24" for one in CLIENTS),
                            *(f"{one}/64" for one in CLIENTS6))
        self.servers = {name: Server(self, name, addresses)
                        for name, addresses in SERVERS.items()}
        for server in self.servers.values():
            server.start()

    def namespace(self, name):
        self.namespaces.append(Namespace(name))
        return self.namespaces[-1]

    def process(self, name, *command, environment=None):
        self.processes = [one for one in self.processes if one.name != name or one.alive()]
        self.processes.append(Process(name, command, self.folder / f"{name}.log", environment))
        return self.processes[-1]

    def close(self):
        """Ends and removes everything, whatever state it is in."""
        for process in reversed(self.processes):
            process.kill() if process in (self.dataplane, self.controlplane) else process.stop(3)
        for namespace in self.namespaces:
            namespace.delete()
        self.notify.close()
        shutil.rmtree(self.region_folder, ignore_errors=True)
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def explain(self):
        """What the programs said last, for the log of a failed test."""
        return "\n".join(process.tail() for process in self.processes
                         if process in (self.dataplane, self.controlplane)
                         or process.child.poll() not in (None, 0))

    # --- Nezu -----------------------------------------------------------------------------------

    @functools.cache
    def program(self, name):
        found = [path for path in self.build.rglob(name) if path.is_file() and os.access(path, 1)]
        if not found:
            raise Failure(f"{name} is not in {self.build}")
        return found[0]

    def start(self):
        """Both programs, ready; addresses on the twins."""
        hide_from_kernel(self.lb, "front")
        hide_from_kernel(self.lb, "back")
        self.start_controlplane()
        self.start_dataplane()
        self.address_twins()

    def start_dataplane(self, workers=None):
        memory = ["--in-memory"] if self.huge else ["--no-huge", "--no-shconf"]
        self.dataplane = self.start_program("dataplane", *self.lb.command(
            self.program("nezu-dataplane"),
            "--port", "name=front,dev=net_af_packet0" + (",side=clients" if self.sided else ""),
            "--port", "name=back,dev=net_af_packet1" + (",side=servers" if self.sided else ""),
            "--workers", workers or self.workers, "--region-dir", self.region_folder,
            "--state-dir", self.folder / "dataplane", "--flows", self.flow_limit,
            "--flows6", self.flow_limit, "--idle-sleep",
            *(str(word).replace("FOLDER", str(self.folder)) for word in self.dataplane_options),
            "--", "--no-pci", "-m", 128, *memory,
            "--vdev", "net_af_packet0,iface=front", "--vdev", "net_af_packet1,iface=back"))

    def start_controlplane(self):
        for folder in (self.region_folder, self.state):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, "nobody", "nogroup")
        self.controlplane = self.start_program("controlplane", *self.lb.command(
            *UNPRIVILEGED, self.program("nezu-controlplane"), "--region-dir", self.region_folder,
            "--state-dir", self.state, "--listen", f"unix:{self.socket}"))

    def address_twins(self):
        for twin, address, address6 in (("nz-front", FRONT, FRONT6), ("nz-back", BACK, BACK6)):
            plain_frames(self.lb, twin)
            self.lb.ip("link", "set", twin, "up")
            self.lb.address(twin, f"{address}/24", f"{address6}/64")

    def start_program(self, name, *command):
        """A process that says when it is ready, as it would say to systemd."""
        while select.select([self.notify], [], [], 0)[0]:
            self.notify.recv(4096)  # what an earlier program said
        process = self.process(name, *command,
                               environment={"NOTIFY_SOCKET": self.notify.getsockname()})
        deadline = time.monotonic() + 30
        while process.alive() and time.monotonic() < deadline:
            try:
                if b"READY=1" in self.notify.recv(4096).split(b"\n"):
                    return process
            except TimeoutError:
                pass
        raise Failure(f"{name} did not get ready\n{process.tail()}")

    @property
    def state(self):
        return self.folder / "state"

    @property
    def socket(self):
        return self.state / "api.sock"

    def nezu(self, *words, **options):
        """The command line; its output."""
        return run(self.program("nezu"), *self.cli_options, *words, **options)

    @property
    def cli_options(self):
        return ["--server", f"unix:{self.socket}"]

    def nezu_json(self, *words):
        return json.loads(self.nezu(*words, "--output", "json"))

    def apply(self, configuration):
        file = self.folder / f"configuration-{time.monotonic_ns()}.yaml"
        file.write_text(configuration)
        return self.nezu("apply", "-f", file)

    def statistics(self):
        return self.nezu_json("stats")

    def servers_seen(self):
        """Address and port of each server -> its state, as the command line shows it."""
        return {(one["server"]["address"], number(one["server"], "port")): one
                for one in self.nezu_json("server", "list")["servers"]}

    def capture(self, name, *words):
        """Starts one; what says so, and the file that it writes. SIGINT ends it."""
        file = self.folder / f"{name}.pcapng"
        file.unlink(missing_ok=True)
        process = self.process(name, self.program("nezu"), *self.cli_options, "capture", "-w", file,
                               *words)
        wait_until("the capture runs", file.exists)
        return process, file

    def flows(self, service):
        return self.nezu_json("flows", "--service", service, "--limit", 100000)["flows"]

    def drops(self):
        """Reason -> packets that were dropped for it."""
        return {one["reason"]: number(one, "packets")
                for one in self.statistics().get("drops", [])}

    def say_drops(self):
        """Drop reasons and their counts, for the log of a failed test."""
        done = self.nezu("stats", check=False)
        return done.stdout + done.stderr

    # --- traffic --------------------------------------------------------------------------------

    def traffic(self, role, host, port, *options, sources=None, name=None):
        """Starts a client of peers.py; end it by stop(), then ask `result`."""
        sources = sources or (CLIENTS6 if ":" in host else CLIENTS)
        name = name or f"{role}-{len(self.processes)}"
        return self.process(name, *self.client.command(
            *PEERS, role, host, port, "--sources", ",".join(sources), *options))


def number(message, field):
    """A number of a message in JSON: 64 bits come as text, 0 not at all."""
    return int(message.get(field, 0))


def sweep_folders():
    """Deletes what killed tests left in the file systems."""
    for place in (pathlib.Path(tempfile.gettempdir()), HUGE):
        for folder in place.glob(f"{FOLDER}*-*"):
            if not pathlib.Path("/proc", folder.name.split("-")[2]).exists():
                shutil.rmtree(folder, ignore_errors=True)


def huge_pages_free():
    text = pathlib.Path("/proc/meminfo").read_text()
    free = [int(line.split()[1]) for line in text.splitlines() if line.startswith("HugePages_Free")]
    return bool(free and free[0] >= 300 and HUGE.is_mount())


def wait_open(*clients, seconds=30):
    """Until each flow of these clients of peers.py has had its first answer."""
    for client in clients:
        wait_until(f"all flows of {client.name} are open",
                   lambda one=client: "all flows are open" in one.log.read_text(), seconds)


def result(process):
    """What a client of peers.py reported as its last line."""
    lines = [line for line in process.log.read_text().splitlines() if line.startswith("{")]
    if not lines:
        raise Failure(f"{process.name} reported nothing\n{process.tail()}")
    return json.loads(lines[-1])
