#!/usr/bin/python3
"""Servers behind fullnat learn who the client is: PROXY protocol v2 over TCP and UDP, TCP option."""
import json
import pathlib

from case import Case, tap
from namespaces import wait_until
from services import FAST_CHECK, SHIFT, configuration
from world import CLIENTS, CLIENTS6, SERVERS, SNAT, SNAT6, VIP, VIP6, number

PAGES, BANNER, DATAGRAMS, OPTION = 8080, 8025, 8053, 8081
FULLNAT = SHIFT["fullnat"]
READER = pathlib.Path(__file__).with_name("address_reader.py")
NGINX = """
user root; daemon off; pid {folder}/{name}-proxy.pid; error_log {folder}/{name}-proxy-error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  log_format seen "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $request";
  access_log {folder}/{name}-proxy.log seen;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen {pages} proxy_protocol backlog=1024; listen [::]:{pages} proxy_protocol backlog=1024;
    root {folder}/www; add_header X-Server {name} always; client_max_body_size 10m;
    location = / {{ default_type text/plain; return 200 "{name}\\n"; }}
    location /in/ {{ dav_methods PUT; create_full_put_path on; }}
    location = /who {{ default_type text/plain; return 200 "$proxy_protocol_addr\\n"; }}
  }}
}}
"""


def told():
    """VIPs of each family with pools of both, so that every second flow is between the families."""
    services, pools = [], []
    for name, port, protocol, how in (
            ("pages", PAGES, "tcp", "proxy_v2"), ("banner", BANNER, "tcp", "proxy_v2"),
            ("datagrams", DATAGRAMS, "udp", "proxy_v2"), ("option", OPTION, "tcp", "tcp_option")):
        servers = "\n".join(f'  - {{ address: "{address}", port: {port} }}'
                            for server in SERVERS.values() for address in server)
        check = ("" if protocol == "udp" else "  check: " + FAST_CHECK.format(
            kind="http: {}" if name == "pages" else "tcp: {}").replace(
                " }", ", proxy_protocol: true }" if how == "proxy_v2" else " }") + "\n")
        pools.append(f"- name: {name}\n  scheduler: rr\n  protocol: {protocol}\n{check}"
                     f"  servers:\n{servers}")
        for family, vip in ((4, VIP), (6, VIP6)):
            services.append(f'- {{ name: {name}{family}, address: "{vip}", port: {port}, protocol: '
                            f"{protocol}, mode: fullnat, snat_set: snat, pool: {name}, "
                            f"client_address: {how} }}")
    return configuration(services, pools)


class ClientAddress(Case):
    workers = 2
    configuration = told()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        cls.readers = []
        for server in world.servers.values():
            file = world.folder / f"{server.name}-proxy.conf"
            file.write_text(NGINX.format(folder=world.folder, name=server.name, pages=PAGES))
            world.process(f"{server.name}-proxy", *server.namespace.command(
                "nginx", "-c", file, "-e", world.folder / f"{server.name}-proxy-error.log"))
            cls.readers.append(world.process(f"{server.name}-reader", *server.namespace.command(
                "/usr/bin/python3", READER, server.name, BANNER, DATAGRAMS, OPTION)))
        for server in world.servers.values():
            wait_until("all listen", lambda one=server: one.listens(PAGES) and one.listens(OPTION))
        # Health checks speak first as well: bare ones would be refused.
        wait_until("all servers are up", lambda: all(
            one["health"].upper().removeprefix("HEALTH_") in ("HEALTHY", "UNCHECKED")
            for one in world.nezu_json("server", "list")["servers"]))

    def test_nginx_sees_each_client_by_the_proxy_protocol(self):
        for vip, sources in ((VIP, CLIENTS[:32]), (VIP6, CLIENTS6[:32])):
            report = self.fine(self.world.traffic("fetch", vip, PAGES, "--rate", 60, "--seconds", 2,
                                                  sources=sources))
            self.assertEqual(set(SERVERS), set(report["servers"]))
        seen = [line.split() for name in SERVERS
                for line in (self.world.folder / f"{name}-proxy.log").read_text().splitlines()]
        pages = [line for line in seen if line[2] in (VIP, VIP6)]
        named = {line[0] for line in pages}
        self.assertLessEqual(set(CLIENTS[:32]) | set(CLIENTS6[:32]), named)
        self.assertLessEqual(named, set(CLIENTS) | set(CLIENTS6))

    def test_long_bodies_both_ways(self):
        for vip in (VIP, f"[{VIP6}]"):
            client = self.world.client
            for _ in range(6):
                size = client.run("curl", "-sgf", "--max-time", 10, "-o", "/dev/null", "-w",
                                  "%{size_download}", f"http://{vip}:{PAGES}/large")
                self.assertEqual(4 << 18, int(size))
                client.run("curl", "-sgf", "--max-time", 10, "-T", self.world.folder / "www/large",
                           f"http://{vip}:{PAGES}/in/large")
                stored = self.world.folder / "www/in/large"
                self.assertEqual((self.world.folder / "www/large").read_bytes(),
                                 stored.read_bytes())
                stored.unlink()

    def test_a_server_that_speaks_first(self):
        """It says nothing before it has read the header, as MTAs do; the client says nothing before
        it has read the banner."""
        script = ("import socket, sys\n"
                  "for i in range(12):\n"
                  "    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:\n"
                  "        banner = s.recv(200).decode(); s.sendall(b'bye\\n')\n"
                  "        print(s.getsockname()[0], s.getsockname()[1], banner, s.recv(20).decode())")
        for vip in (VIP, VIP6):
            lines = [line.split() for line in self.world.client.run(
                "/usr/bin/python3", "-c", script, vip, BANNER).splitlines() if line.strip()]
            self.assertEqual(12, len(lines))
            for words in lines:
                self.assertEqual(words[:2] + [vip, str(BANNER), "bye"], words[2:6] + words[6:7])

    def test_datagrams_carry_the_header(self):
        for vip, sources in ((VIP, CLIENTS[:16]), (VIP6, CLIENTS6[:16])):
            report = self.fine(self.world.traffic("ask", vip, DATAGRAMS, "--flows", 16,
                                                  "--interval", 0.1, "--seconds", 2,
                                                  sources=sources))
            self.assertEqual(set(sources), {one.split()[1] for one in report["seen"].values()})
            self.assertEqual(set(SERVERS), set(report["servers"]))

    def test_the_option_is_in_the_first_segments(self):
        for vip, sources in ((VIP, CLIENTS[:16]), (VIP6, CLIENTS6[:16])):
            report = self.fine(self.world.traffic("hold", vip, OPTION, "--flows", 16,
                                                  "--interval", 0.1, "--seconds", 2,
                                                  sources=sources))
            # The server says what the segments that it captured told of its peer.
            self.assertEqual(set(sources), {one.split()[1] for one in report["seen"].values()})

    def test_what_is_counted(self):
        for reader in self.readers:
            self.assertTrue(reader.alive(), reader.tail())
        worker = self.world.nezu_json("system")["workers"][0]
        self.assertEqual(65536, number(worker, "changed_flow_capacity"))
        self.assertEqual(65536 * 64, number(worker, "changed_flow_bytes"))


if __name__ == "__main__":
    tap.main()
