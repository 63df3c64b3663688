#!/usr/bin/python3
"""Mode `redirect`: transparent web caches (nginx) in front of origins that nobody here owns.

  client --[front, clients] nezu [back, servers]-- switch -- web1, web2      the caches
    |                                                                        (web3 is no cache)
  origin (198.51.100.0/24): its router is the client's namespace, which sends what clients ask for to
  nezu, and what nezu sends on to the origin
"""
from case import Case, tap
from namespaces import wait_until, wire
from world import CLIENTS, FRONT, SERVERS

ORIGINS, ROUTER = "198.51.100.0/24", "192.0.2.101"
CACHES = ("web1", "web2")

CONFIGURATION = f"""
services:
- name: caches
  address: 0.0.0.0/0
  port: 80
  mode: redirect
  pool: caches
  without_server: pass
pools:
- name: caches
  scheduler: mh
  hash_destination: true
  check: {{ tcp: {{}}, port: 80, interval_ms: 200, timeout_ms: 200, rise: 1, fall: 2 }}
  servers:
  - {{ address: {SERVERS["web1"][0]} }}
  - {{ address: {SERVERS["web2"][0]} }}
"""

ORIGIN = """
daemon off; pid {folder}/origin.pid; error_log {folder}/origin-error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/origin-access.log combined;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 80; add_header Cache-Control "max-age=600";
           location / {{ default_type text/plain; return 200 "origin $server_addr $uri\\n"; }} }}
}}
"""
CACHE = """
daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}-error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  proxy_cache_path {folder}/{name}-cache keys_zone=pages:1m;
  server {{ listen 80;
    location / {{ proxy_pass http://$host:80; proxy_cache pages;
                 proxy_cache_key $host$request_uri; proxy_connect_timeout 2s;
                 add_header X-Cache "{name} $upstream_cache_status" always; }} }}
}}
"""


class Redirect(Case):
    workers = 2
    sided = True
    configuration = CONFIGURATION

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.build_origin()
        for name in CACHES:
            cls.make_cache(name)
        wait_until("both caches are ready", lambda: cls.ready() == 2)

    @classmethod
    def build_origin(cls):
        world, client = cls.world, cls.world.client
        origin = world.namespace("origin")
        wire(origin, "eth0", client, "origin")
        client.address("origin", "203.0.113.1/24")
        origin.address("eth0", "203.0.113.2/24")
        origin.ip("route", "add", "default", "via", "203.0.113.1")
        origin.ip("route", "add", "local", ORIGINS, "dev", "lo")
        client.sysctl("net.ipv4.ip_forward", 1)
        for name in ("all", "eth0", "origin"):
            client.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
            client.sysctl(f"net.ipv4.conf.{name}.send_redirects", 0)
            # The router is the client: what goes past the caches comes back to it.
            client.sysctl(f"net.ipv4.conf.{name}.accept_local", 1)
        # What clients ask for goes to nezu; what nezu sends on, to the origin, and answers back.
        client.ip("route", "add", ORIGINS, "via", FRONT)
        client.ip("rule", "add", "iif", "eth0", "lookup", "100")
        client.ip("route", "add", ORIGINS, "via", "203.0.113.2", "table", "100")
        client.ip("route", "add", "10.0.0.0/24", "via", FRONT)
        world.lb.ip("route", "add", ORIGINS, "via", ROUTER)
        file = world.folder / "origin.conf"
        file.write_text(ORIGIN.format(folder=world.folder))
        world.process("origin", *origin.command("nginx", "-c", file, "-e",
                                                world.folder / "origin-error.log"))
        wait_until("the origin listens", lambda: origin.run("ss", "-Hltn", "sport = :80").strip())

    @classmethod
    def make_cache(cls, name):
        """nginx that takes every packet to port 80 for its own, and asks the origin by itself."""
        server, folder = cls.world.servers[name], cls.world.folder
        server.kill_nginx()
        space = server.namespace
        space.ip("route", "add", "local", ORIGINS, "dev", "lo", "table", "local")
        # Only what comes in is local; what goes out leaves by the default route.
        space.ip("rule", "add", "pref", "1", "iif", "eth0", "lookup", "local")
        for pref, own in (("2", "127.0.0.0/8"), ("3", "10.0.0.0/24")):
            space.ip("rule", "add", "pref", pref, "to", own, "lookup", "local")
        space.ip("rule", "add", "pref", "4", "lookup", "main")
        space.ip("rule", "add", "pref", "40000", "lookup", "local")
        space.ip("rule", "delete", "pref", "0")
        (folder / f"{name}.conf").write_text(CACHE.format(folder=folder, name=name))
        cls.start_cache(name)

    @classmethod
    def start_cache(cls, name):
        server, folder = cls.world.servers[name], cls.world.folder
        server.nginx = cls.world.process(f"{name}-cache", *server.namespace.command(
            "nginx", "-c", folder / f"{name}.conf", "-e", folder / f"{name}-error.log"))
        wait_until(f"the cache {name} listens", lambda: server.listens(80))

    @classmethod
    def ready(cls):
        return sum(one["state"].lower().endswith("ready") for one in
                   cls.world.servers_seen().values())

    def fetch(self, origin, path="/"):
        """Body and X-Cache ("" when no cache answered)."""
        text = self.world.client.run("curl", "-sf", "-i", "--max-time", 5,
                                     f"http://198.51.100.{origin}{path}")
        head, _, body = text.replace("\r", "").partition("\n\n")
        cache = [line.split(": ", 1)[1] for line in head.split("\n")
                 if line.lower().startswith("x-cache")]
        return body.strip(), cache[0] if cache else ""

    def asked(self, path):
        """Who asked the origin for it."""
        log = (self.world.folder / "origin-access.log").read_text()
        return [line.split()[0] for line in log.splitlines() if f" {path} " in line]

    def test_1_a_miss_asks_the_origin_once(self):
        used = set()
        for origin in range(1, 13):
            path = f"/page{origin}"
            for turn in range(4):
                body, cache = self.fetch(origin, path)
                self.assertEqual(f"origin 198.51.100.{origin} {path}", body)
                self.assertEqual("MISS" if turn == 0 else "HIT", cache.split()[1])
                used.add((origin, cache.split()[0]))
            caches = {SERVERS[name][0] for name in CACHES}
            self.assertEqual(1, len(self.asked(path)), "a page was asked for more than once")
            self.assertIn(self.asked(path)[0], caches)
        # Each origin has one cache, and both have some.
        self.assertEqual(12, len(used))
        self.assertEqual(set(CACHES), {name for _, name in used})
        self.assertEqual(0, self.world.drops().get("ttl_exceeded", 0), "something ran in a circle")

    def test_2_one_dies_then_all_then_they_return(self):
        self.world.servers["web1"].kill_nginx()
        wait_until("web1 has failed", lambda: self.ready() == 1)
        for origin in range(1, 9):
            self.assertEqual("web2", self.fetch(origin, "/one")[1].split()[0])
        self.world.servers["web2"].kill_nginx()
        wait_until("web2 has failed", lambda: self.ready() == 0)
        for origin in range(1, 9):
            body, cache = self.fetch(origin, "/none")
            self.assertEqual((f"origin 198.51.100.{origin} /none", ""), (body, cache))
        self.assertTrue(set(self.asked("/none")) <= set(CLIENTS))
        for name in CACHES:
            self.start_cache(name)
        wait_until("both are back", lambda: self.ready() == 2)
        self.assertEqual(set(CACHES), {self.fetch(origin, "/back")[1].split()[0]
                                       for origin in range(1, 13)})

    def test_3_all_dead_and_refused(self):
        self.world.apply(CONFIGURATION.replace("pass", "refuse"))
        for name in CACHES:
            self.world.servers[name].kill_nginx()
        wait_until("both have failed", lambda: self.ready() == 0)
        done = self.world.client.run("curl", "-s", "--max-time", 5, "http://198.51.100.9/no",
                                     check=False)
        self.assertEqual(7, done.returncode)  # refused
        self.assertEqual([], self.asked("/no"))
        self.world.apply(CONFIGURATION)
        for name in CACHES:
            self.start_cache(name)
        wait_until("both are back", lambda: self.ready() == 2)

    def test_4_another_host_claims_an_address_of_ours(self):
        self.world.nezu("pool", "create", "spare")
        self.world.nezu("service", "create", "shop", "address=192.0.2.10", "port=8080",
                        "pool=spare")
        watch = self.world.process("watch", self.world.program("nezu"), *self.world.cli_options,
                                   "watch")
        wait_until("the watch shows something", lambda: watch.log.read_text())
        before = self.world.drops().get("address_claimed", 0)
        self.world.client.run("/usr/bin/python3", "-c", ANNOUNCE)
        wait_until("the claim is counted",
                   lambda: self.world.drops().get("address_claimed", 0) > before)
        wait_until("an alarm says so",
                   lambda: "says that 192.0.2.10" in watch.log.read_text())
        watch.stop()


# A gratuitous ARP by hand: RFC 5227 2.3.
ANNOUNCE = """
import socket
one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
one.bind(("eth0", 0x0806))
mac = one.getsockname()[4]
vip = socket.inet_aton("192.0.2.10")
one.send(b"\\xff" * 6 + mac + b"\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x01" + mac + vip
         + bytes(6) + vip)
"""


if __name__ == "__main__":
    tap.main()
