"""Recordings (pcap) of frames that nobody sent: what a flood is made of. Sums are right."""
import random
import struct

ETHERNET, IPV4, ARP = 1, 0x0800, 0x0806
ICMP, TCP, UDP = 1, 6, 17
SYN = 0x02


def raw(address):
    return bytes(map(int, address.split(".")))


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return 0xffff - total


def ipv4(protocol, source, destination, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                       source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def with_sum(protocol, source, destination, payload, at):
    pseudo = source + destination + struct.pack("!HH", protocol, len(payload))
    value = struct.pack("!H", checksum(pseudo + payload))
    return payload[:at] + value + payload[at + 2:]


def syn(source, destination, port, draw):
    segment = struct.pack("!HHIIBBHHHBBH", draw.randint(1024, 65535), port, draw.getrandbits(32), 0,
                          6 << 4, SYN, 65535, 0, 0, 2, 4, 1460)
    return ipv4(TCP, source, destination, with_sum(TCP, source, destination, segment, 16))


def datagram(source, destination, port, draw):
    said = struct.pack("!HHHH", draw.randint(1024, 65535), port, 18, 0) + bytes(10)
    return ipv4(UDP, source, destination, with_sum(UDP, source, destination, said, 6))


def ping(source, destination, _, draw):
    asked = struct.pack("!BBHHH", 8, 0, 0, draw.getrandbits(16), 1) + bytes(10)
    asked = asked[:2] + struct.pack("!H", checksum(asked)) + asked[4:]
    return ipv4(ICMP, source, destination, asked)


def question(source_mac, source, wanted):
    """ARP: who has it?"""
    return (b"\xff" * 6 + source_mac + struct.pack("!HHHBBH", ARP, 1, IPV4, 6, 4, 1)
            + source_mac + source + bytes(6) + wanted)


def packets(kinds, count, to, source_mac, destination, seed=1):
    """From random addresses of the benchmarks' network (RFC 2544). kinds: (function, port) in turn."""
    draw = random.Random(seed)
    head = mac(to) + mac(source_mac) + struct.pack("!H", IPV4)
    network = int.from_bytes(raw("198.18.0.0"), "big")
    for number in range(count):
        kind, port = kinds[number % len(kinds)]
        source = (network + draw.randrange(1, 1 << 17)).to_bytes(4, "big")
        yield head + kind(source, raw(destination), port, draw)


def questions(count, wanted, network, seed=1):
    """Of hosts of that network (of 24 bits), at MACs of their own."""
    draw = random.Random(seed)
    for _ in range(count):
        host = draw.randint(2, 99)
        yield question(mac("02:00:00:00:ff:00")[:5] + bytes([host]),
                       raw(network)[:3] + bytes([host]), raw(wanted))


def write(file, frames):
    with open(file, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, ETHERNET))
        for frame in frames:
            frame = frame.ljust(60, b"\0")
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return file
