#!/usr/bin/python3
"""vsftpd behind Nezu, with curl and lftp: active and passive, all families, and with TLS; TFTP; lftp
behind source NAT, with vsftpd outside."""
import hashlib

from case import Case, tap
from namespaces import run, wait_until
from services import SHIFT, configuration, pool, service
from world import SERVERS, VIP, VIP6, number

FTP, TLS, TFTP = 21, 2121, 69
FULLNAT, ACROSS = FTP + SHIFT["fullnat"], 9000
PASSIVE = "10000-10029"
LARGE = b"nezu" * (1 << 18)
VSFTPD = """
listen=NO
listen_ipv6=YES
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
xferlog_enable=NO
connect_from_port_20=YES
secure_chroot_dir={folder}/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
{more}
"""
WITH_TLS = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
force_anon_logins_ssl=YES
rsa_cert_file={folder}/ftp.pem
rsa_private_key_file={folder}/ftp.pem
require_ssl_reuse=NO
ssl_ciphers=HIGH
pasv_min_port=10000
pasv_max_port=10029
"""


def services():
    all_services, pools = [], []
    for family in (0, 1):
        name = f"ftp{(4, 6)[family]}"
        pools.append(pool(name, FTP, family))
        for mode in ("nat", "fullnat"):
            all_services.append(service(f"{name}-{mode}", name, FTP, family, mode=mode) +
                                "\n  application: ftp")
        across = service(f"{name}-across", name, ACROSS - SHIFT["fullnat"], 1 - family,
                         mode="fullnat")
        all_services.append(across + "\n  application: ftp")
        tls = f"tls{(4, 6)[family]}"
        pools.append(pool(tls, TLS, family, scheduler="mh"))
        all_services.append(service(tls, tls, TLS, family, mode="fullnat") +
                            f'\n  application: ftp\n  passive_ports: "{PASSIVE}"')
        tftp = f"tftp{(4, 6)[family]}"
        pools.append(pool(tftp, TFTP, family, "udp"))
        for mode in ("nat", "fullnat"):
            all_services.append(service(f"{tftp}-{mode}", tftp, TFTP, family, "udp", mode) +
                                "\n  application: tftp")
    # Inside hosts are FTP clients as well.
    outwards = ["- name: outside", '  addresses: ["192.0.2.200", "2001:db8:1::200"]',
                "source_nats:", "- name: outwards", "  pools: [ftp4, ftp6]", "  snat_set: outside",
                "  application: ftp", ""]
    return configuration(all_services, pools) + "\n".join(outwards)


class Ftp(Case):
    workers = 2
    configuration = services()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        (world.folder / "empty").mkdir()
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj",
            "/CN=nezu.test", "-keyout", world.folder / "key.pem", "-out", world.folder / "cert.pem")
        (world.folder / "ftp.pem").write_text((world.folder / "key.pem").read_text() +
                                              (world.folder / "cert.pem").read_text())
        for server in world.servers.values():
            cls.start_server(server)
        root = cls.folder_of("outside")
        file = world.folder / "outside.conf"
        file.write_text(VSFTPD.format(port=FTP, root=root, folder=world.folder, more=""))
        world.process("outside-ftp", *world.client.command("vsftpd", file))
        wait_until("vsftpd outside listens", lambda: world.client.run(
            "ss", "-Hltn", f"sport = :{FTP}").strip() != "")

    @classmethod
    def folder_of(cls, name):
        root = cls.world.folder / f"{name}-ftp"
        root.mkdir()
        (root / "name").write_text(f"{name}\n")
        (root / "large").write_bytes(LARGE)
        (root / "in").mkdir()
        (root / "in").chmod(0o777)
        return root

    @classmethod
    def start_server(cls, server):
        world = cls.world
        root = cls.folder_of(server.name)
        for kind, port, more in (("plain", FTP, ""), ("tls", TLS, WITH_TLS)):
            file = world.folder / f"{server.name}-{kind}.conf"
            file.write_text(VSFTPD.format(port=port, root=root, folder=world.folder,
                                          more=more.format(folder=world.folder)))
            world.process(f"{server.name}-{kind}",
                          *server.namespace.command("vsftpd", file))
            wait_until("vsftpd listens", lambda p=port: server.listens(p))
        world.process(f"{server.name}-tftp", *server.namespace.command(
            "in.tftpd", "-L", "-a", f"[::]:{TFTP}", "-s", root))

    def curl(self, *words):
        return self.world.client.run("curl", "-sSg", "--max-time", 8, *words)

    def use(self, base, *options):
        """Small and large files down, one up, each over a data connection of its own."""
        names = {self.curl(*options, f"{base}/name").strip() for _ in range(4)}
        self.assertLessEqual(names, set(SERVERS), base)  # each worker has turns of its own
        self.assertGreater(len(names), 1, base)
        file = self.world.folder / "down"
        self.curl(*options, "-o", file, f"{base}/large", f"{base}/name", "-o", "/dev/null")
        self.assertEqual(hashlib.sha256(LARGE).digest(),
                         hashlib.sha256(file.read_bytes()).digest())
        name = f"up-{abs(hash((base, options)))}"
        self.curl(*options, "-T", file, f"{base}/in/{name}")
        stored = [self.world.folder / f"{server}-ftp" / "in" / name for server in SERVERS]
        self.assertEqual([LARGE], [one.read_bytes() for one in stored if one.exists()])

    def every_way(self, base):
        self.use(base)                                            # EPSV
        self.use(base, "--ftp-port", "-")                         # EPRT
        if VIP in base:
            self.use(base, "--disable-epsv")                      # PASV
            self.use(base, "--ftp-port", "-", "--disable-eprt")   # PORT

    def test_nat(self):
        for host in (VIP, f"[{VIP6}]"):
            self.every_way(f"ftp://{host}:{FTP}")

    def test_fullnat(self):
        for host in (VIP, f"[{VIP6}]"):
            self.every_way(f"ftp://{host}:{FULLNAT}")

    def test_between_the_families(self):
        for host in (VIP, f"[{VIP6}]"):
            self.every_way(f"ftp://{host}:{ACROSS}")

    def test_lftp(self):
        for host, port in ((VIP, FTP), (VIP, FULLNAT), (f"[{VIP6}]", FULLNAT), (VIP, ACROSS)):
            for passive in ("on", "off"):
                file = self.world.folder / f"lftp-{port}-{passive}"
                file.unlink(missing_ok=True)
                self.world.client.run(
                    "lftp", "-c", f"set ftp:passive-mode {passive}; set net:timeout 5; "
                    "set net:max-retries 1; set ftp:use-feat yes; set ftp:ssl-allow no; "
                    f"open -u anonymous,x ftp://{host}:{port}; ls; get large -o {file}; cat name")
                self.assertEqual(LARGE, file.read_bytes())

    def test_inside_hosts_are_clients_of_servers_outside(self):
        """Active mode is let in; vsftpd takes no PORT of another address than its client's."""
        world = self.world
        for name, host in (("web1", "192.0.2.101"), ("web2", "[2001:db8:1::1:1]")):
            for passive in ("off", "on"):
                down = world.folder / f"outward-{name}-{passive}"
                up = f"in/from-{name}-{passive}"
                world.servers[name].namespace.run(
                    "lftp", "-c", f"set ftp:passive-mode {passive}; set net:timeout 5; "
                    "set net:max-retries 1; set ftp:ssl-allow no; set ftp:auto-passive-mode no; "
                    f"open -u anonymous,x ftp://{host}; ls; get large -o {down}; "
                    f"put {down} -o {up}; cat name")
                self.assertEqual(LARGE, down.read_bytes())
                self.assertEqual(LARGE, (world.folder / "outside-ftp" / up).read_bytes())
        flows = world.nezu_json("flows", "--source-nat", "outwards", "--limit", 1000)["flows"]
        self.assertIn("192.0.2.200", {flow["snat"] for flow in flows})
        # Those that the server opened: it came from 20, as the client sees it.
        self.assertTrue(any(flow["vip"] == "192.0.2.101" and number(flow, "service_port") == 20
                            for flow in flows), flows)

    def test_tls_by_declared_ports(self):
        for host in (VIP, f"[{VIP6}]"):
            base = f"ftp://{host}:{TLS + SHIFT['fullnat']}"
            file = self.world.folder / "down-tls"
            for words in ([], ["--disable-epsv"] if VIP in base else []):
                self.curl("--ssl-reqd", "--insecure", *words, "-o", file, f"{base}/large")
                self.assertEqual(LARGE, file.read_bytes())

    def test_tftp(self):
        for host in (VIP, f"[{VIP6}]"):
            for mode in ("nat", "fullnat"):
                base = f"tftp://{host}:{TFTP + SHIFT[mode]}"
                self.assertIn(self.curl(f"{base}/name").strip(), SERVERS)
                file = self.world.folder / "down-tftp"
                self.curl("-o", file, f"{base}/large")
                self.assertEqual(LARGE, file.read_bytes())


if __name__ == "__main__":
    tap.main()
