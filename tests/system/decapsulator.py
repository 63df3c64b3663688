#!/usr/bin/python3
"""Takes packets out of IPIP, GRE and GUE and gives them to the kernel by a TUN device.

  decapsulator.py DEVICE GUE_PORT

What a server's kernel does by `ip link add type ipip|gre` and `ip fou add gue`, for kernels without
these. Stricter than they are: what is not exactly as it must be ends the process with a word about it.
UDP checksums are the kernel's to judge (over IPv6 it takes none that is 0). SIGTERM: says how many of
each kind came, as one JSON line.
"""
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
IPV4, IPV6, GRE = 4, 41, 47
ETHERTYPES = {0x0800: 4, 0x86DD: 6}


def expect(condition, what, packet):
    if not condition:
        sys.exit(f"{what}: {packet[:80].hex()}")


def without_outer(packet):
    """The payload of an outer IPv4 header, which raw sockets show."""
    expect(packet[0] == 0x45, "outer options", packet)
    expect(packet[8] == 64, "outer TTL", packet)
    expect(struct.unpack(">H", packet[6:8])[0] == 0x4000, "outer DF alone", packet)
    expect(packet[4:6] == b"\0\0", "outer id", packet)
    expect(struct.unpack(">H", packet[2:4])[0] == len(packet), "outer length", packet)
    return packet[20:]


def out_of_gre(packet):
    flags, kind = struct.unpack(">HH", packet[:4])
    expect(flags == 0 and kind in ETHERTYPES, "GRE header", packet)
    expect(packet[4] >> 4 == ETHERTYPES[kind], "GRE type", packet)
    return packet[4:]


def out_of_gue(packet):
    expect(packet[0] == 0 and packet[2:4] == b"\0\0", "GUE header", packet)
    expect((packet[1], packet[4] >> 4) in ((IPV4, 4), (IPV6, 6)), "GUE protocol", packet)
    return packet[4:]


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def sources(gue_port):
    """Sockets with their kind and what takes the inner packet out."""
    for family, protocol in ((4, IPV4), (4, IPV6), (6, IPV4), (6, IPV6)):
        raw = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW,
                            protocol)
        yield raw, "ipip", without_outer if family == 4 else bytes
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, GRE)
    yield raw, "gre", lambda packet: out_of_gre(without_outer(packet))
    yield socket.socket(socket.AF_INET6, socket.SOCK_RAW, GRE), "gre", out_of_gre
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        udp = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.bind((host, gue_port))
        yield udp, "gue", out_of_gue


def main():
    tun = open_tun(sys.argv[1])
    selector = selectors.DefaultSelector()
    counts = {"ipip": 0, "gre": 0, "gue": 0, "largest": 0}
    for number, (source, kind, inner) in enumerate(sources(int(sys.argv[2]))):
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        selector.register(source, selectors.EVENT_READ, (kind, inner))

    def report(*_):
        print(json.dumps(counts), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, report)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            packet, sender = key.fileobj.recvfrom(65536)
            kind, inner = key.data
            if kind == "gue":
                expect(49152 <= sender[1] <= 65535, "source port", packet)
            packet = inner(packet)
            expect(packet[0] >> 4 in (4, 6), "inner version", packet)
            counts[kind] += 1
            counts["largest"] = max(counts["largest"], len(packet))
            os.write(tun, packet)


if __name__ == "__main__":
    main()
