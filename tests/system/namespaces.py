"""Network namespaces, veth wires and processes that never outlive the test that made them.

Namespaces are called `nz<pid>-<name>`. Processes are ended by their id; the kernel ends them too
when the test itself is killed, and the next test sweeps away namespaces whose test is gone.
"""
import os
import pathlib
import re
import signal
import subprocess
import time

PREFIX = "nz"
# The kernel ends what a test started when the test itself is killed.
_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]
# A classic BPF program that ends with TC_ACT_SHOT for every packet.
_DROP_ALL = "1,6 0 0 2"


class Failure(Exception):
    """Something that a test needs did not happen."""


def run(*command, check=True, timeout=60, text=None):
    """Runs a command to its end; its standard output. Raises Failure with all that it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          input=text, timeout=timeout, stdin=None if text else subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                      f"{done.stdout}{done.stderr}")
    return done.stdout if check else done


def wait_until(what, condition, seconds=10.0, every=0.05):
    """Waits until condition() is true and returns its value; raises Failure with `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:g} s in vain: {what}")
        time.sleep(every)


def sweep():
    """Deletes namespaces that tests left behind which are not running any more."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        owner = re.match(rf"{PREFIX}(\d+)-", name)
        if owner and not pathlib.Path(f"/proc/{owner[1]}").exists():
            run("ip", "netns", "delete", name, check=False)


class Process:
    """A child process; what it says goes to `log` (standard output and error)."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = pathlib.Path(log)
        self.started = time.monotonic()
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                _WITH_PARENT + self.command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.alive():
            self.child.send_signal(number)

    def kill(self):
        """kill -9, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=10):
        """Asks it to end; kills it when it does not. Its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.child.returncode

    def wait(self, seconds):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s\n{self.tail()}") from None

    def tail(self, lines=30):
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return f"--- {self.log.name}\n" + "\n".join(text)


class Namespace:
    def __init__(self, name):
        self.name = f"{PREFIX}{os.getpid()}-{name}"
        self.short = name
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        # Routers on the wire are Nezu's business; duplicate address detection only delays tests.
        self.sysctl("net.ipv6.conf.all.accept_ra", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)

    def delete(self):
        run("ip", "netns", "delete", self.name, check=False)

    def command(self, *words):
        """The command line that runs `words` in this namespace (and becomes that process)."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words, **options):
        return run(*self.command(*words), **options)

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def sysctl(self, key, value):
        self.run("sysctl", "-q", "-w", f"{key}={value}")

    def address(self, device, *addresses):
        for address in addresses:
            self.ip("address", "replace", address, "dev", device,
                    *(["nodad"] if ":" in address else []))

    def has_link(self, device):
        return run("ip", "-n", self.name, "link", "show", device, check=False).returncode == 0


def wire(one, one_device, two, two_device):
    """A veth pair between two namespaces; both ends up, nothing left to offload.

    The kernel sends half-summed and oversized frames into a veth unless the sending end is told not
    to: a device that reads raw frames on the other side would see them.
    """
    run("ip", "-n", one.name, "link", "add", one_device, "type", "veth",
        "peer", "name", two_device, "netns", two.name)
    for namespace, device in ((one, one_device), (two, two_device)):
        plain_frames(namespace, device)
        namespace.ip("link", "set", device, "up")


def plain_frames(namespace, device):
    """Turns off what would let the kernel send unfinished frames through `device`."""
    namespace.run("ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off",
                  "gro", "off")


def hide_from_kernel(namespace, device):
    """Leaves a device's frames to raw sockets: the kernel's own stack neither hears nor speaks."""
    namespace.sysctl(f"net.ipv6.conf.{device}.disable_ipv6", 1)
    run("tc", "-n", namespace.name, "qdisc", "add", "dev", device, "ingress")
    run("tc", "-n", namespace.name, "filter", "add", "dev", device, "ingress",
        "bpf", "bytecode", _DROP_ALL, "da")
