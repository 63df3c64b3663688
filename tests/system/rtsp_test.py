#!/usr/bin/python3
"""GStreamer on both sides of Nezu: sound and pictures with their reports, over UDP and within the connection,
in nat and fullnat, over IPv4, IPv6 and between them."""
import itertools
import json
import pathlib

from case import Case, tap
from namespaces import wait_until
from services import SHIFT, configuration, pool, service
from world import SERVERS, VIP, VIP6

RTSP, ACROSS, SECONDS = 8554, 9554, 12
HERE = pathlib.Path(__file__).resolve().parent
PLUGINS = pathlib.Path("/usr/lib/x86_64-linux-gnu/gstreamer-1.0")
NEEDED = ("coreelements", "audiotestsrc", "videotestsrc", "app", "rtp", "rtpmanager", "rtsp", "udp", "tcp",
          "typefindfunctions")


def services():
    """The pool of each family by nat and fullnat, and by fullnat for clients of the other one."""
    all_services, pools = [], []
    for family in (0, 1):
        name = f"rtsp{(4, 6)[family]}"
        pools.append(pool(name, RTSP, family))
        for mode in SHIFT:
            all_services.append(service(f"{name}-{mode}", name, RTSP, family, mode=mode))
        all_services.append(service(f"{name}-across", name, ACROSS - SHIFT["fullnat"], 1 - family,
                                    mode="fullnat"))
    return configuration([one + "\n  application: rtsp" for one in all_services], pools)


class Rtsp(Case):
    workers = 2
    numbers = itertools.count()
    configuration = services()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        # GStreamer looks at these alone, once.
        plugins = world.folder / "plugins"
        plugins.mkdir()
        for name in NEEDED:
            (plugins / f"libgst{name}.so").symlink_to(PLUGINS / f"libgst{name}.so")
        cls.python = ("env", f"GST_PLUGIN_SYSTEM_PATH={plugins}", "GST_REGISTRY_FORK=no",
                      f"GST_REGISTRY={world.folder}/registry", "/usr/bin/python3")
        for server in world.servers.values():
            world.process(f"{server.name}-rtsp", *server.namespace.command(
                *cls.python, HERE / "rtsp_server.py", RTSP, *SERVERS[server.name]))
            wait_until("the RTSP server listens", lambda one=server: one.listens(RTSP))

    def play(self, *cases):
        """All at once: (host, port, protocols)."""
        players = []
        for host, port, protocols in cases:
            literal = f"[{host}]" if ":" in host else host
            url = f"rtsp://{literal}:{port}/live"
            players.append((url, protocols, self.world.process(
                f"player-{next(self.numbers)}", *self.world.client.command(
                    *self.python, HERE / "rtsp_client.py", url, protocols, SECONDS))))
        for url, protocols, player in players:
            player.wait(SECONDS + 15)
            said = json.loads(player.tail(1).splitlines()[-1])
            self.assertEqual("", said["error"], (url, protocols))
            self.assertEqual({"audio", "video"}, set(said["packets"]), (url, protocols))
            self.assertGreaterEqual(min(said["packets"].values()), 100, (url, protocols))
            self.assertEqual(2, said["reports"], (url, protocols))

    def flows_of(self, service_name):
        return self.world.nezu_json("flows", "--service", service_name, "--limit", 1000)["flows"]

    def test_datagrams_in_nat_and_fullnat(self):
        full = RTSP + SHIFT["fullnat"]
        self.play((VIP, RTSP, "udp"), (VIP6, RTSP, "udp"), (VIP, full, "udp"), (VIP6, full, "udp"))
        for name in ("rtsp4-nat", "rtsp6-nat", "rtsp4-fullnat", "rtsp6-fullnat"):
            media = [one for one in self.flows_of(name) if one["protocol"] == "udp"]
            # Two streams with a port for their reports each, all with the server that was asked.
            self.assertEqual(4, len(media), media)
            self.assertEqual(1, len({one["server"] for one in media}), media)

    def test_within_the_connection(self):
        full = RTSP + SHIFT["fullnat"]
        self.play((VIP, RTSP, "tcp"), (VIP6, full, "tcp"), (VIP6, ACROSS, "tcp"))

    def test_between_the_families(self):
        self.play((VIP6, ACROSS, "udp"), (VIP, ACROSS, "udp"))

    def test_all_servers_have_their_turns(self):
        asked = ("import socket\n"
                 f"for i in range(6):\n  s = socket.create_connection(('{VIP}', {RTSP}))\n"
                 "  s.sendall(b'OPTIONS * RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n')\n"
                 "  assert s.recv(999).startswith(b'RTSP/1.0 200'), 'no answer'\n")
        self.world.client.run("/usr/bin/python3", "-c", asked)
        self.assertEqual({SERVERS[one][0] for one in SERVERS},
                         {one["server"] for one in self.flows_of("rtsp4-nat")})

    def test_what_is_no_rtsp_is_counted(self):
        before = self.world.drops()
        self.world.client.run("/usr/bin/python3", "-c", (
            "import socket\n"
            f"s = socket.create_connection(('{VIP}', {RTSP}))\n"
            "s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
            "s.recv(99)\n"))
        wait_until("it is counted", lambda: self.world.drops().get("rtsp_unreadable", 0) >
                   before.get("rtsp_unreadable", 0))

    def test_services_are_refused_in_words(self):
        for words, wanted in ((("protocol=udp",), "RTSP is spoken over TCP"),
                              (("protocol=tcp", "mode=route"), "answers pass the balancer by")):
            refused = self.world.nezu("service", "create", "bad", f"address={VIP}", "port=99",
                                      "pool=rtsp4", "application=rtsp", *words, check=False)
            self.assertNotEqual(0, refused.returncode)
            self.assertIn(wanted, refused.stdout + refused.stderr)


if __name__ == "__main__":
    tap.main()
