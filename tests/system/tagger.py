#!/usr/bin/python3
"""A switch with a trunk, for kernels without 802.1Q: what comes in by an access port leaves by the
trunk with its VLAN's tag, and the other way round.

  tagger.py TRUNK VLAN=ACCESS [VLAN=ACCESS ...]    interfaces of this namespace
"""
import selectors
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 3, 263, 8, 1 << 4
LONGEST = 1600


def raw(interface):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.bind((interface, ETH_P_ALL))
    link.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    link.setblocking(False)
    return link


def frames(link):
    """(VLAN, frame without its tag) of what has come in; the kernel takes tags off by itself."""
    while True:
        try:
            frame, extra, _, sender = link.recvmsg(LONGEST, 64)
        except BlockingIOError:
            return
        if sender[2] == socket.PACKET_OUTGOING:
            continue
        vlan = 0
        for level, kind, data in extra:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, *_, tag, _ = struct.unpack("IIIHHHH", data[:20])
                vlan = tag & 0xfff if status & TP_STATUS_VLAN_VALID else 0
        yield vlan, frame


def send(link, frame):
    try:
        link.send(frame)
    except (BlockingIOError, OSError):
        pass  # as a switch does that has no room


def main():
    trunk = raw(sys.argv[1])
    access = {int(vlan): raw(interface)
              for vlan, interface in (word.split("=") for word in sys.argv[2:])}
    ready = selectors.DefaultSelector()
    ready.register(trunk, selectors.EVENT_READ, None)
    for vlan, link in access.items():
        ready.register(link, selectors.EVENT_READ, vlan)
    print("switching", flush=True)
    while True:
        for key, _ in ready.select():
            for vlan, frame in frames(key.fileobj):
                if key.data is None:
                    if vlan in access:
                        send(access[vlan], frame)
                else:
                    tag = struct.pack("!HH", 0x8100, key.data)
                    send(trunk, frame[:12] + tag + frame[12:])


if __name__ == "__main__":
    main()
