#!/usr/bin/python3
"""Frames of a kind of their own, sent and counted with their tags.

  frames.py send INTERFACE MAC COUNT [VLAN PRIORITY]    to that MAC
  frames.py count INTERFACE     prints each "VLAN priority" with its number, when no more have come
                                for a second, or none at all for ten
"""
import collections
import json
import socket
import struct
import sys
import time

from tagger import PACKET_AUXDATA, SOL_PACKET, TP_STATUS_VLAN_VALID, raw

ETHERTYPE = 0x88b6  # the second one for local experiments


def send(interface, mac, count, vlan=None, priority=0):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, 0))
    to = bytes.fromhex(mac.replace(":", ""))
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, int(priority) << 13 | int(vlan))
    for number in range(int(count)):
        link.send(to + link.getsockname()[4] + tag + struct.pack("!HI", ETHERTYPE, number) + bytes(42))
        time.sleep(0.002)


def count(interface):
    link = raw(interface)
    print("listening", flush=True)
    seen = collections.Counter()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            frame, extra, _, sender = link.recvmsg(200, 64)
        except BlockingIOError:
            time.sleep(0.005)
            continue
        if sender[2] == socket.PACKET_OUTGOING or frame[12:14] != struct.pack("!H", ETHERTYPE):
            continue
        deadline = time.monotonic() + 1
        where = "-"
        for level, kind, data in extra:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, *_, tag, _ = struct.unpack("IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID:
                    where = f"{tag & 0xfff} {tag >> 13}"
        seen[where] += 1
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    {"send": send, "count": count}[sys.argv[1]](*sys.argv[2:])
