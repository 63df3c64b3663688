"""Programs with virtual wires (memif) between them: what the tests and the short run share.

    with Wires(BUILD) as wires:
        device = wires.bad_wire("--lose", 0.01)     # or testpmd()
        results = wires.traffic("throughput", "--sizes", 64, ...)
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

HUGE = pathlib.Path("/dev/hugepages")


class Failure(Exception):
    pass


def memory(megabytes=192):
    """EAL's words: nothing that another process could meet, huge pages where there are some."""
    free = [int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
            if line.startswith("HugePages_Free")]
    huge = HUGE.is_mount() and free and free[0] * 2 >= megabytes + 64
    return ["--in-memory", "--no-pci", "--no-telemetry", "-m", str(megabytes),
            *([] if huge else ["--no-huge"])]


class Program:
    def __init__(self, name, words, log):
        self.name, self.log = name, log
        self.words = [str(word) for word in words]
        with open(log, "wb") as file:
            self.child = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=file,
                                          stderr=subprocess.STDOUT)

    def tail(self, lines=30):
        text = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"--- {self.name} ({self.child.poll()})", *text])

    def wait(self, seconds):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Failure(f"{self.name} did not end within {seconds} s\n{self.tail()}") from None

    def stop(self, how=signal.SIGTERM, seconds=20):
        if self.child.poll() is None:
            self.child.send_signal(how)
        return self.wait(seconds)


class Wires:
    def __init__(self, build, cores=("0", "1"), naps=True, sides=("left", "right")):
        """cores: of the device and of the generator, as EAL's -l takes them."""
        self.build, self.sides = pathlib.Path(build).resolve(), sides
        self.cores, self.naps = cores, naps
        self.programs = []

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"nezu-wires-{os.getpid()}-"))
        return self

    def __exit__(self, kind, *_):
        self.end_again()
        for program in reversed(self.programs):
            if program.child.poll() is None:
                program.child.kill()
                program.child.wait()
            if kind:
                print(program.tail())
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, *words):
        count = len(self.programs)
        self.programs.append(Program(name, words, self.folder / f"{count}-{name}.log"))
        return self.programs[-1]

    def vdevs(self, role, zero_copy=False, macs=False):
        """EAL's words for the wires; macs: which stay the same when the program starts again."""
        words = []
        for number, side in enumerate(self.sides):
            more = (",zero-copy=yes" if zero_copy else "") + (
                f",mac=02:00:00:00:00:{16 + number:02x}" if macs else "")
            words += ["--vdev", f"net_memif{number},role={role},id={number},rsize=11,"
                                f"socket={self.folder}/{side}.sock,socket-abstract=no{more}"]
        return words

    def wait_for_sockets(self, program):
        for _ in range(300):
            if all((self.folder / f"{side}.sock").exists() for side in self.sides):
                return
            if program.child.poll() is not None:
                break
            time.sleep(0.1)
        raise Failure(f"{program.name} does not start\n{program.tail()}")

    def bad_wire(self, *harm):
        self.counts_file = self.folder / "counts.json"
        program = self.start(
            "bad-wire", self.build / "bench/nezu-bad-wire", "--left", "net_memif0", "--right",
            "net_memif1", "--json", self.counts_file, *(["--naps"] if self.naps else []), *harm,
            "--", "-l", self.cores[0], *memory(400), *self.vdevs("server"))
        self.wait_for_sockets(program)
        return program

    def counts(self, program):
        """What the bad wire did, when it ends."""
        if program.stop() != 0:
            raise Failure(program.tail())
        return json.loads(self.counts_file.read_text())

    def script(self, name, text):
        """A command of the shell that does this."""
        file = self.folder / f"{name}.sh"
        file.write_text(f"#!/bin/sh\nset -e\n{text}\n")
        file.chmod(0o755)
        return f"{file} > {self.folder}/{name}.log 2>&1"

    def restart(self, pid, words, ready):
        """A command of the shell: kill -9, and the same command line again until it says `ready`."""
        command = " ".join(shlex.quote(str(word)) for word in words)
        sockets = " ".join(f"{self.folder}/{side}.sock" for side in self.sides)
        return self.script("restart", f"""
kill -9 {pid}
while kill -0 {pid} 2> /dev/null && ! grep -q '^State:.Z' /proc/{pid}/status; do sleep 0.01; done
rm -f {sockets}
setsid {command} > {self.folder}/again.log 2>&1 &
echo $! > {self.folder}/again.pid
until grep -q {shlex.quote(ready)} {self.folder}/again.log; do sleep 0.01; done""")

    def end_again(self):
        """Ends what the shell started."""
        file = self.folder / "again.pid"
        if file.exists():
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass
            file.unlink()

    def testpmd(self, *words):
        """A plain forwarding application, that nobody of us wrote."""
        program = self.start(
            # It wants a core for its prompt beside the one that forwards; both may be one CPU.
            "testpmd", "dpdk-testpmd", f"--lcores=0@{self.cores[0]},1@{self.cores[0]}", *memory(400),
            *self.vdevs("server"), "--", "--forward-mode=io", "--auto-start",
            "--total-num-mbufs=16384", "--rxd=2048", "--txd=2048", "--no-flush-rx",
            "--disable-link-check", "--stats-period=1", *words)
        self.wait_for_sockets(program)
        return program

    @staticmethod
    def testpmd_counts(program):
        """Frames that it received and sent at each port, by its own last word of a running link (a
        memif port forgets them when its other end goes)."""
        counts = {}
        port = None
        for line in program.log.read_text(errors="replace").splitlines():
            if found := re.search(r"NIC statistics for port (\d+)", line):
                port = int(found[1])
            elif port is not None and (found := re.search(r"([RT])X-packets: *(\d+)", line)):
                key = (port, found[1])
                counts[key] = max(counts.get(key, 0), int(found[2]))
        return counts

    def traffic_words(self, method, *options, eal=()):
        words = [self.build / "bench/nezu-traffic", method]
        if "--left" not in options:
            words += ["--left", "dev=net_memif0"]
            words += ["--right", "dev=net_memif1"] if "right" in self.sides else []
        return [*words, *(["--naps"] if self.naps else []), *options, "--", "-l", self.cores[1],
                *memory(192), *self.vdevs("client"), *eal]

    def traffic(self, method, *options, seconds=120, eal=()):
        """One run of the generator; its results."""
        file = self.folder / f"results-{len(self.programs)}.json"
        program = self.start("traffic", *self.traffic_words(
            method, *options, "--json", file, eal=eal))
        if program.wait(seconds) != 0:
            raise Failure(program.tail())
        return json.loads(file.read_text())


def number(message, field):
    """A count of a message: 64 bits come as text."""
    return int(message[field])


def total(trial, field):
    return sum(number(group, field) for group in trial["groups"])
