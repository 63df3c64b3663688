#!/usr/bin/python3
"""GStreamer's RTSP server with live sound and pictures at /live: rtsp_server.py PORT ADDRESS..."""
import sys

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

LIVE = ("( audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1"
        " ! rtpL16pay name=pay0 pt=97"
        " videotestsrc is-live=true ! video/x-raw,format=UYVY,width=64,height=48,framerate=25/1"
        " ! rtpvrawpay name=pay1 pt=96 )")


def main():
    Gst.init(None)
    servers = []
    for address in sys.argv[2:]:
        server = GstRtspServer.RTSPServer(address=address, service=sys.argv[1])
        factory = GstRtspServer.RTSPMediaFactory(launch=LIVE)
        server.get_mount_points().add_factory("/live", factory)
        server.attach(None)
        servers.append(server)
    GLib.MainLoop().run()


main()
