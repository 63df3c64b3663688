#!/usr/bin/python3
"""Servers and clients of the system tests, each run as a process in a namespace.

  peers.py serve NAME PORT                TCP and UDP: answers each line/datagram "NAME PEER PORT text"
  peers.py fetch URL_HOST PORT [options]  HTTP GETs, each on a connection of its own
  peers.py browse HOST PORT [options]     HTTP GETs on connections that are kept until the server ends them
  peers.py hold HOST PORT [options]       TCP connections kept open, a line on each every interval
  peers.py ask HOST PORT [options]        the same with UDP sockets

Clients check every answer. They end by SIGTERM or after --seconds and print one JSON line:
{"answers": n, "failures": [...], "servers": {name: answers}, "seen": {our address: what NAME saw}}.
Unless --tolerant is given they end at the first failure. The exit status is 0 only without failures.
"""
import argparse
import asyncio
import itertools
import json
import signal
import socket
import sys
import time


class Tally:
    def __init__(self, options):
        self.options = options
        self.answers = self.open = 0
        self.servers = {}
        self.failures = []
        self.seen = {}
        self.over = asyncio.Event()
        self.record = open(options.record, "w", buffering=1) if options.record else None

    def answer(self, began, server):
        self.answers += 1
        self.servers[server] = self.servers.get(server, 0) + 1
        self.write(began, server, "ok")

    def opened(self):
        """A flow has its first answer; the last one is said aloud, for a test that waits for it."""
        self.open += 1
        if self.open == len(self.options.only or range(self.options.flows)):
            print("all flows are open", flush=True)

    def fail(self, began, text):
        self.failures.append(f"{time.monotonic():.3f}: {text}")
        self.write(began, text, "failed")
        if not self.options.tolerant:
            self.over.set()

    def write(self, began, text, outcome):
        """One line a request: when it began and ended (CLOCK_MONOTONIC), outcome, server or error."""
        if self.record:
            self.record.write(f"{began:.4f} {time.monotonic():.4f} {outcome} {text}\n")

    def report(self):
        print(json.dumps({"answers": self.answers, "failures": self.failures[:5],
                          "failed": len(self.failures), "servers": self.servers,
                          "seen": self.seen}), flush=True)
        return 1 if self.failures or not self.answers else 0


def source_of(options, number):
    if not options.sources:
        return None
    return (options.sources[number % len(options.sources)],
            options.first_port + number if options.first_port else 0)


async def get(options, number):
    """One request on a connection of its own; the body's first word (the server's name)."""
    reader, writer = await asyncio.open_connection(options.host, options.port,
                                                   local_addr=source_of(options, number))
    try:
        writer.write(f"GET {options.path} HTTP/1.0\r\nHost: nezu.test\r\n"
                     "User-Agent: peers/1\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise ValueError(f"status line {head[:60]!r}")
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:")]
        if length and len(body) != length[0]:
            raise ValueError(f"{len(body)} of {length[0]} bytes")
        name = [line.split(b":")[1].strip().decode() for line in head.split(b"\r\n")
                if line.lower().startswith(b"x-server:")]
        return name[0] if name else "unnamed"
    finally:
        writer.close()


async def fetch(options, tally):
    """Starts `rate` requests a second, each whether or not the earlier ones have ended."""
    running = set()

    async def one(number):
        began = time.monotonic()
        try:
            tally.answer(began, await asyncio.wait_for(get(options, number), options.patience))
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            tally.fail(began, f"{type(error).__name__} {error}")

    start = time.monotonic()
    for number in itertools.count():
        pause = start + number / options.rate - time.monotonic()
        try:
            await asyncio.wait_for(tally.over.wait(), max(pause, 0.0001))
            break
        except asyncio.TimeoutError:
            pass
        task = asyncio.ensure_future(one(number))
        running.add(task)
        task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)


async def page(options, reader, writer):
    """One request on a connection that stays; the server's name, and whether it is to be closed."""
    writer.write(f"GET {options.path} HTTP/1.1\r\nHost: nezu.test\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = [line.partition(":") for line in head.split("\r\n")]
    fields = {name.lower(): value.strip() for name, _, value in lines[1:]}
    if " 200 " not in lines[0][0]:
        raise ValueError(f"status line {lines[0][0][:60]!r}")
    await reader.readexactly(int(fields["content-length"]))
    return fields["x-server"], fields.get("connection") == "close"


async def browse_one(options, tally, number):
    """A connection ends well only where the server has announced it in its answer before."""
    writer = None
    while not tally.over.is_set():
        began = time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(
                    options.host, options.port, local_addr=source_of(options, number)),
                    options.patience)
            server, is_last = await asyncio.wait_for(page(options, reader, writer),
                                                     options.patience)
        except (OSError, ValueError, KeyError, asyncio.IncompleteReadError,
                asyncio.TimeoutError) as error:
            return tally.fail(began, f"browser {number}: {type(error).__name__} {error}")
        tally.answer(began, server)
        if is_last:
            writer.close()
            writer = None
        await asyncio.sleep(options.interval)
    if writer is not None:
        writer.close()


async def converse(options, tally, number, exchange):
    """Asks again and again on one flow; server and the address that it sees must never change."""
    first = None
    for turn in itertools.count():
        began = time.monotonic()
        text = f"{number}.{turn}".ljust(options.size, "x")
        try:
            answer = await asyncio.wait_for(exchange(text), options.patience)
        except (OSError, asyncio.TimeoutError) as error:
            return tally.fail(began, f"flow {number} of {first}: {type(error).__name__} {error}")
        words = answer.split()
        if len(words) != 4 or words[3] != text:
            return tally.fail(began, f"flow {number} of {first}: answer {answer!r} to {text!r}")
        seen = " ".join(words[:3])
        if first is None:
            first = seen
            tally.opened()
        if seen != first:
            return tally.fail(began, f"flow {number} went from {first} to {seen}")
        tally.seen[str(number)] = seen
        tally.answer(began, words[0])
        try:
            await asyncio.wait_for(tally.over.wait(), options.interval)
            return None
        except asyncio.TimeoutError:
            pass


async def hold_one(options, tally, number):
    began = time.monotonic()
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(
            options.host, options.port, local_addr=source_of(options, number)), options.patience)
    except (OSError, asyncio.TimeoutError) as error:
        return tally.fail(began, f"flow {number}: connect: {type(error).__name__} {error}")

    async def exchange(text):
        writer.write(f"{text}\n".encode())
        line = await reader.readline()
        if not line:
            raise ConnectionResetError("closed by the other side")
        return line.decode()

    await converse(options, tally, number, exchange)
    writer.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self):
        self.answers = asyncio.Queue()

    def datagram_received(self, data, address):
        self.answers.put_nowait(data.decode())

    def error_received(self, error):
        self.answers.put_nowait(f"error {error}")


async def ask_one(options, tally, number):
    transport, protocol = await asyncio.get_event_loop().create_datagram_endpoint(
        Datagrams, remote_addr=(options.host, options.port), local_addr=source_of(options, number))

    async def exchange(text):
        # A datagram may be lost; a flow may not: asked three times within the patience.
        for _ in range(3):
            transport.sendto(text.encode())
            try:
                while True:
                    answer = await asyncio.wait_for(protocol.answers.get(), options.patience / 3.2)
                    if answer.split()[-1:] == [text]:
                        return answer
            except asyncio.TimeoutError:
                pass
        raise asyncio.TimeoutError()

    await converse(options, tally, number, exchange)
    transport.close()


async def flows(options, tally):
    one = {"hold": hold_one, "ask": ask_one, "browse": browse_one}[options.role]
    await asyncio.gather(*(one(options, tally, number) for number in options.only or range(options.flows)))


async def client(options):
    tally = Tally(options)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, tally.over.set)
    if options.seconds:
        loop.call_later(options.seconds, tally.over.set)
    await (fetch if options.role == "fetch" else flows)(options, tally)
    return tally.report()


class UdpServer(asyncio.DatagramProtocol):
    def __init__(self, name):
        self.name = name

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(f"{self.name} {address[0]} {address[1]} ".encode() + data, address)


def udp_socket(host, port):
    udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if ":" in host:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    udp.bind((host, port))
    return udp


async def serve(name, port, hosts):
    async def conversation(reader, writer):
        peer = writer.get_extra_info("peername")
        try:
            while line := await reader.readline():
                writer.write(f"{name} {peer[0]} {peer[1]} ".encode() + line)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    loop = asyncio.get_running_loop()
    for host in hosts:
        await asyncio.start_server(conversation, host, port, backlog=1024)
        await loop.create_datagram_endpoint(lambda: UdpServer(name), sock=udp_socket(host, port))
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=["serve", "fetch", "browse", "hold", "ask"])
    parser.add_argument("host", help="serve: the name")
    parser.add_argument("port", type=int)
    parser.add_argument("--sources", type=lambda text: text.split(","), default=[])
    parser.add_argument("--at", type=lambda text: text.split(","), default=["0.0.0.0", "::"],
                        help="serve: own addresses; answers to datagrams come from these")
    parser.add_argument("--seconds", type=float, help="default: until SIGTERM")
    parser.add_argument("--rate", type=float, default=50, help="fetch: requests a second")
    parser.add_argument("--path", default="/")
    parser.add_argument("--flows", type=int, default=64)
    parser.add_argument("--first-port", type=int, help="flow n comes from port first + n")
    parser.add_argument("--only", type=lambda text: [int(word) for word in text.split(",")],
                        help="only these flows, by number")
    parser.add_argument("--interval", type=float, default=0.5)
    parser.add_argument("--size", type=int, default=0, help="of each question, at least so many bytes")
    parser.add_argument("--patience", type=float, default=5, help="seconds for one answer")
    parser.add_argument("--tolerant", action="store_true")
    parser.add_argument("--record", help="fetch: a file for one line a request")
    options = parser.parse_args()
    if options.role == "serve":
        asyncio.run(serve(options.host, options.port, options.at))
        return 0
    return asyncio.run(client(options))


if __name__ == "__main__":
    sys.exit(main())
