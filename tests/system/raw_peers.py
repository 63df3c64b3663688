#!/usr/bin/python3
"""Peers in user space for protocols that the kernel here does not have: SCTP (RFC 9260) and GRE.

  raw_peers.py sctp-serve NAME PORT            answers each DATA with "NAME PEER PORT text", over SCTP
  raw_peers.py sctp-ask HOST PORT COUNT        COUNT associations, each with messages and a shutdown
  raw_peers.py echo-serve NAME PROTOCOL        sends each payload back with NAME in front
  raw_peers.py echo-ask HOST PROTOCOL SOURCES  a payload from each source address, and its answer

They check every CRC32c and verification tag, with code of their own. Servers answer from the address
that was asked. Clients print one JSON line and end with status 0 only without failures.
"""
import json
import os
import socket
import struct
import sys
import time

DATA, INIT, INIT_ACK, SACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, COOKIE_ECHO, COOKIE_ACK, COMPLETE = (
    0, 1, 2, 3, 6, 7, 8, 10, 11, 14)
WAIT = 5.0


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def chunk(kind, value=b"", flags=0):
    data = struct.pack("!BBH", kind, flags, 4 + len(value)) + value
    return data + bytes(-len(data) % 4)


def packet(source, destination, tag, *chunks):
    head = struct.pack("!HHI", source, destination, tag)
    data = head + bytes(4) + b"".join(chunks)
    return head + struct.pack("<I", crc32c(data)) + data[12:]


def parse(data):
    """Ports, tag and chunks (kind, flags, value) of a packet; its sum must be right."""
    source, destination, tag = struct.unpack("!HHI", data[:8])
    if struct.unpack("<I", data[8:12])[0] != crc32c(data[:8] + bytes(4) + data[12:]):
        raise ValueError(f"wrong CRC32c from port {source}")
    chunks, at = [], 12
    while at + 4 <= len(data):
        kind, flags, length = struct.unpack("!BBH", data[at:at + 4])
        chunks.append((kind, flags, data[at + 4:at + length]))
        at += (length + 3) & ~3
    return source, destination, tag, chunks


def raw(protocol, address=""):
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    one.bind((address, 0))
    one.settimeout(WAIT)
    return one


def receive(one):
    """Addresses and payload of the next IPv4 packet."""
    data = one.recv(65535)
    header = (data[0] & 15) * 4
    return socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[header:]


def reply_from(protocol, own, peer, data):
    with raw(protocol, own) as out:
        out.sendto(data, (peer, 0))


def initiation(kind, tag):
    value = struct.pack("!IIHHI", tag, 1 << 16, 1, 1, 1)
    if kind == INIT_ACK:
        value += struct.pack("!HH", 7, 8) + b"cook"
    return chunk(kind, value)


def data_chunk(number, text):
    return chunk(DATA, struct.pack("!IHHI", number, 0, 0, 0) + text, 3)


def sctp_serve(name, port):
    listener = raw(socket.IPPROTO_SCTP)
    listener.settimeout(None)
    tags = {}  # peer and port -> ours, theirs
    while True:
        peer, own, data = receive(listener)
        try:
            source, destination, tag, chunks = parse(data)
        except ValueError as error:
            print(error, flush=True)
            continue
        if destination != port:
            continue
        answers = []
        ours, theirs = tags.get((peer, source), (None, None))
        for kind, _, value in chunks:
            if kind == INIT:
                theirs = struct.unpack("!I", value[:4])[0]
                ours = int.from_bytes(os.urandom(4), "big") | 1
                tags[peer, source] = ours, theirs
                answers.append(initiation(INIT_ACK, ours))
            elif tag != ours:
                print(f"wrong tag from {peer}:{source}", flush=True)
            elif kind == COOKIE_ECHO:
                answers.append(chunk(COOKIE_ACK))
            elif kind == DATA:
                number = struct.unpack("!I", value[:4])[0]
                answers.append(chunk(SACK, struct.pack("!IIHH", number, 1 << 16, 0, 0)))
                answers.append(data_chunk(number, f"{name} {peer} {source} ".encode() + value[12:]))
            elif kind == SHUTDOWN:
                answers.append(chunk(SHUTDOWN_ACK))
        if answers:
            reply_from(socket.IPPROTO_SCTP, own, peer, packet(port, source, theirs, *answers))


class Association:
    """A client's."""

    def __init__(self, host, port, own_port):
        self.host, self.port, self.own_port = host, port, own_port
        self.socket = raw(socket.IPPROTO_SCTP)
        self.ours, self.theirs = int.from_bytes(os.urandom(4), "big") | 1, 0

    def ask(self, *chunks, wanted):
        """Sends and waits for the chunk of that kind from the very peer that was asked."""
        self.socket.sendto(packet(self.own_port, self.port, self.theirs, *chunks), (self.host, 0))
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            peer, _, data = receive(self.socket)
            source, destination, tag, answers = parse(data)
            if (peer, source, destination) != (self.host, self.port, self.own_port):
                continue
            if tag != self.ours:
                raise ValueError(f"wrong verification tag {tag:#x}")
            for kind, _, value in answers:
                if kind == wanted:
                    return value
        raise TimeoutError(f"no chunk {wanted} from {self.host}:{self.port}")

    def converse(self, messages):
        value = self.ask(initiation(INIT, self.ours), wanted=INIT_ACK)
        self.theirs = struct.unpack("!I", value[:4])[0]
        self.ask(chunk(COOKIE_ECHO, b"cook"), wanted=COOKIE_ACK)
        seen = []
        for number, text in enumerate(messages, 1):
            answer = self.ask(data_chunk(number, text), wanted=DATA)[12:]
            name, peer, port, echoed = answer.split(b" ", 3)
            if echoed != text:
                raise ValueError(f"{len(text)} bytes came back changed")
            seen.append((name.decode(), peer.decode(), int(port)))
        self.ask(chunk(SHUTDOWN, struct.pack("!I", len(messages))), wanted=SHUTDOWN_ACK)
        self.socket.sendto(packet(self.own_port, self.port, self.theirs, chunk(COMPLETE)),
                           (self.host, 0))
        self.socket.close()
        if len(set(seen)) != 1:
            raise ValueError(f"one association was seen as {sorted(set(seen))}")
        return seen[0]


def sctp_ask(host, port, count):
    seen, failures = [], []
    for number in range(count):
        try:
            messages = [os.urandom(length) for length in (1, 2, 3, 4, 700, 1400)]
            seen.append(Association(host, port, 40000 + number).converse(messages))
        except (ValueError, OSError) as error:
            failures.append(f"association {number}: {error!r}")
    print(json.dumps({"seen": seen, "failures": failures}), flush=True)
    return 1 if failures else 0


def echo_serve(name, protocol):
    listener = raw(protocol)
    listener.settimeout(None)
    while True:
        peer, own, data = receive(listener)
        reply_from(protocol, own, peer, name.encode() + b" " + peer.encode() + b" " + data)


def echo_ask(host, protocol, sources):
    seen, failures = [], []
    for source in sources:
        with raw(protocol, source) as one:
            text = os.urandom(64)
            one.sendto(text, (host, 0))
            try:
                while True:
                    peer, own, data = receive(one)
                    if (peer, own) == (host, source):
                        break
                name, client, echoed = data.split(b" ", 2)
                if echoed != text:
                    raise ValueError("came back changed")
                seen.append((name.decode(), client.decode()))
            except (ValueError, OSError) as error:
                failures.append(f"{source}: {error!r}")
    print(json.dumps({"seen": seen, "failures": failures}), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "sctp-serve":
        sctp_serve(words[0], int(words[1]))
    elif role == "sctp-ask":
        sys.exit(sctp_ask(words[0], int(words[1]), int(words[2])))
    elif role == "echo-serve":
        echo_serve(words[0], int(words[1]))
    elif role == "echo-ask":
        sys.exit(echo_ask(words[0], int(words[1]), words[2].split(",")))
    sys.exit(f"{role} is none of the roles above")
