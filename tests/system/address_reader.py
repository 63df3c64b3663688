#!/usr/bin/python3
"""Servers that learn their client's address, with decoders of their own.

  address_reader.py NAME BANNER DATAGRAMS OPTION

BANNER (TCP): reads a PROXY header, then says "CLIENT PORT VIP VPORT" of it, then what it is told.
DATAGRAMS (UDP): answers each "NAME CLIENT PORT text" by the PROXY header in front of it.
OPTION (TCP): the same for lines, by the TCP option (kind 254) of the handshake's ACK, which it reads
from the wire, as this kernel has no module that would. Ends with a word about whatever is not exactly
as it must be.
"""
import asyncio
import socket
import struct
import sys

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def expect(condition, what, data=b""):
    if not condition:
        print(f"{what}: {data[:100].hex()}", flush=True)
        sys.exit(1)


def header_length(data):
    """None: more is needed."""
    expect(SIGNATURE.startswith(data[:12]), "signature", data)
    return 16 + struct.unpack(">H", data[14:16])[0] if len(data) >= 16 else None


def decode(data, stream):
    """(client, port, service, port) of a whole header; None for a health check's."""
    expect(data[12] in (0x20, 0x21), "version and command", data)
    if data[12] == 0x20:
        return None
    kind = 1 if stream else 2
    expect(data[13] in (0x10 | kind, 0x20 | kind), "family and protocol", data)
    family, size = ((socket.AF_INET, 4) if data[13] >> 4 == 1 else (socket.AF_INET6, 16))
    expect(len(data) == 16 + 2 * size + 4, "length", data)
    client, service = data[16:16 + size], data[16 + size:16 + 2 * size]
    ports = struct.unpack(">HH", data[16 + 2 * size:])
    return (socket.inet_ntop(family, client), ports[0], socket.inet_ntop(family, service), ports[1])


async def banner(reader, writer):
    try:
        data = await reader.readexactly(16)
        data += await reader.readexactly(header_length(data) - 16)
        who = decode(data, True)
        if who:
            writer.write(" ".join(map(str, who)).encode() + b" ")
            writer.write(await reader.readline())
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, name):
        self.name = name

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        length = header_length(data)
        expect(length is not None, "a header", data)
        who = decode(data[:length], False)
        self.transport.sendto(f"{self.name} {who[0]} {who[1]} ".encode() + data[length:], address)


class Options:
    """What the option in the segments to `port` says, by the peer's address and port."""

    def __init__(self, port):
        self.port, self.told = port, {}
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.setblocking(False)
        asyncio.get_running_loop().add_reader(self.wire, self.read)

    def read(self):
        """All that has come: what the kernel gives to a connection was here before."""
        while True:
            try:
                self.see(*self.wire.recvfrom(65536))
            except BlockingIOError:
                return

    def see(self, frame, kind):
        if kind[2] == socket.PACKET_OUTGOING:
            return
        family = {b"\x08\x00": socket.AF_INET, b"\x86\xdd": socket.AF_INET6}.get(frame[12:14])
        if family is None or frame[23 if family == socket.AF_INET else 20] != 6:
            return
        at, source = ((14 + (frame[14] & 15) * 4, frame[26:30]) if family == socket.AF_INET
                      else (54, frame[22:38]))
        tcp = frame[at:]
        ports = struct.unpack(">HH", tcp[:4])
        if ports[1] != self.port or tcp[13] & 2:
            return
        peer = (socket.inet_ntop(family, source), ports[0])
        for kind, value in options_of(tcp[20:(tcp[12] >> 4) * 4]):
            if kind == 254:
                expect(len(value) in (6, 18), "option length", value)
                port, = struct.unpack(">H", value[:2])
                client = socket.AF_INET if len(value) == 6 else socket.AF_INET6
                who = (socket.inet_ntop(client, value[2:]), port)
                expect(self.told.setdefault(peer, who) == who, "another client", value)

    async def converse(self, name, reader, writer):
        peer = writer.get_extra_info("peername")[:2]
        try:
            while line := await reader.readline():
                self.read()
                expect(peer in self.told, f"no option from {peer}")
                who = self.told[peer]
                writer.write(f"{name} {who[0]} {who[1]} ".encode() + line)
                await writer.drain()
        except OSError:
            pass
        writer.close()
        self.told.pop(peer, None)


def options_of(data):
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        expect(len(data) > 1 and 2 <= data[1] <= len(data), "options", data)
        yield data[0], data[2:data[1]]
        data = data[data[1]:]


async def main():
    name, ports = sys.argv[1], list(map(int, sys.argv[2:5]))
    options = Options(ports[2])
    for host in ("0.0.0.0", "::"):
        await asyncio.start_server(banner, host, ports[0])
        await asyncio.start_server(lambda r, w: options.converse(name, r, w), host, ports[2])
        udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        if ":" in host:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        udp.bind((host, ports[1]))
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: Datagrams(name), sock=udp)
    await asyncio.Event().wait()


asyncio.run(main())
