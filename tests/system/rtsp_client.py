#!/usr/bin/python3
"""Plays an RTSP URL with GStreamer's rtspsrc until both streams have brought their packets, and a report of
their sender (RTCP): rtsp_client.py URL udp|tcp SECONDS. Prints, as JSON, what came of each."""
import json
import sys
import time

import gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

WANTED = 100  # packets of each stream


class Player:
    def __init__(self, url, protocols, seconds):
        self.packets, self.reports, self.error = {}, set(), ""
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline()
        self.source = Gst.ElementFactory.make("rtspsrc")
        for name, value in (("location", url), ("protocols", protocols), ("latency", 50)):
            Gst.util_set_object_arg(self.source, name, str(value))
        self.source.connect("pad-added", self.play)
        self.source.connect("new-manager", lambda _, manager: manager.connect(
            "on-ssrc-active", self.reported))
        self.pipeline.add(self.source)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.failed)
        self.until = time.monotonic() + seconds
        GLib.timeout_add(50, self.look)

    def play(self, _, pad):
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        name = pad.get_current_caps().get_structure(0).get_string("media")
        self.packets[name] = 0
        pad.add_probe(Gst.PadProbeType.BUFFER, self.count, name)
        pad.link(sink.get_static_pad("sink"))

    def count(self, _pad, _info, name):
        self.packets[name] += 1
        return Gst.PadProbeReturn.OK

    def reported(self, _, session, ssrc):
        self.reports.add(session)

    def failed(self, _, message):
        self.error = message.parse_error()[0].message
        self.loop.quit()

    def look(self):
        done = len(self.packets) == 2 and min(self.packets.values()) >= WANTED
        if (done and len(self.reports) == 2) or time.monotonic() > self.until:
            self.loop.quit()
        return True

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        print(json.dumps({"packets": self.packets, "reports": len(self.reports),
                          "error": self.error}))


Gst.init(None)
Player(sys.argv[1], sys.argv[2], float(sys.argv[3])).run()
