"""Real servers of common protocols in a server's namespace: MariaDB, dnsmasq, aiosmtpd, freeradius.
Each says in some way which server it is."""
import shutil

from namespaces import run, wait_until
from world import VIP, VIP6

SQL, DNS, SMTP, RADIUS = 3306, 53, 25, 1812
SERVED = ("web1", "web2")
# 40 texts of 50 bytes: too long for a datagram of EDNS.
LONG = [f"{number:050}" for number in range(40)]
SMALL = ("--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--key-buffer-size=1M",
         "--innodb-flush-method=fsync", "--innodb-flush-log-at-trx-commit=0")
USERS = """CREATE DATABASE IF NOT EXISTS shop;
CREATE USER IF NOT EXISTS 'nezu'@'%' IDENTIFIED BY 'secret';
GRANT ALL ON shop.* TO 'nezu'@'%';
CREATE TABLE IF NOT EXISTS shop.orders (number INT PRIMARY KEY, text LONGTEXT);
"""
RADIUSD = """
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/pid
security {{
  reject_delay = 0
  allow_vulnerable_openssl = yes
}}
modules {{
  pap {{
  }}
}}
client v4 {{
  ipv4addr = 0.0.0.0/0
  secret = testing
}}
client v6 {{
  ipv6addr = ::/0
  secret = testing
}}
server default {{
  listen {{
    type = auth
    ipv4addr = *
    port = {port}
  }}
  listen {{
    type = auth
    ipv6addr = ::
    port = {port}
  }}
  authorize {{
    update control {{
      Cleartext-Password := "hello"
    }}
    update reply {{
      Reply-Message := "{name} %{{Packet-Src-IP-Address}}%{{Packet-Src-IPv6-Address}}"
    }}
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
  }}
}}
"""


def make_database(folder):
    """An empty one, of which each server gets a copy."""
    run("mariadb-install-db", "--no-defaults", f"--datadir={folder}", "--user=root",
        "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", *SMALL)


def start_mariadb(world, server, template):
    """template: None for one that ran before, with what it had."""
    data = world.folder / f"{server.name}-db"
    if template:
        shutil.copytree(template, data)
        (data / "users.sql").write_text(USERS)
    return world.process(f"{server.name}-mariadb", *server.namespace.command(
        "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={data}/socket", "--user=root",
        f"--port={SQL}", "--bind-address=*", "--skip-name-resolve", f"--report-host={server.name}",
        f"--init-file={data}/users.sql", *SMALL))


def start_dnsmasq(world, server):
    world.process(f"{server.name}-dnsmasq", *server.namespace.command(
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--user=root", f"--port={DNS}", "--pid-file=", f"--txt-record=who.nezu.test,{server.name}",
        "--txt-record=long.nezu.test," + ",".join(LONG)))


def start_smtp(world, namespace, name):
    """Mails are files in the folder NAME-mail/new; IPv4 and IPv6 are two processes."""
    for folder in ("tmp", "new", "cur"):
        (world.folder / f"{name}-mail" / folder).mkdir(parents=True)
    for family, host in (("4", "0.0.0.0"), ("6", "::")):
        world.process(f"{name}-smtp{family}", *namespace.command(
            "/usr/bin/aiosmtpd", "-n", "-l", f"{host}:{SMTP}", "-c", "aiosmtpd.handlers.Mailbox",
            world.folder / f"{name}-mail"))


def mails(world, name):
    folder = world.folder / f"{name}-mail" / "new"
    return [one.read_text() for one in folder.iterdir()] if folder.exists() else []


def start_radius(world, server):
    folder = world.folder / f"{server.name}-radius"
    folder.mkdir()
    (folder / "radiusd.conf").write_text(
        RADIUSD.format(folder=folder, port=RADIUS, name=server.name))
    world.process(f"{server.name}-radius", *server.namespace.command(
        "freeradius", "-f", "-d", folder, "-l", folder / "log"))


def wait_for(server, kind, port):
    """kind: "t" or "u", as ss has it."""
    wait_until(f"{server.name} listens at {port}", lambda: server.namespace.run(
        "ss", f"-Hln{kind}", f"sport = :{port}").strip() != "", 30)


def start_all(world):
    template = world.folder / "database"
    make_database(template)
    servers = [world.servers[name] for name in SERVED]
    for server in servers:
        start_mariadb(world, server, template)
        start_dnsmasq(world, server)
        start_smtp(world, server.namespace, server.name)
        start_radius(world, server)
    for server in servers:
        for kind, port in (("t", SQL), ("t", DNS), ("t", SMTP), ("u", DNS), ("u", RADIUS)):
            wait_for(server, kind, port)


class Asking:
    """Questions of a client; `port` is that of the service."""

    def __init__(self, namespace):
        self.namespace = namespace

    def sql(self, host, port, statement, check=True):
        return self.namespace.run(
            "mariadb", "--no-defaults", "-h", host, "-P", port, "-u", "nezu", "-psecret",
            "--protocol=tcp", "--connect-timeout=5", "--skip-ssl", "-N", "-B", "shop", "-e",
            statement, check=check)

    def dns(self, host, port, name, *options):
        return self.namespace.run("dig", f"@{host}", "-p", port, "+short", "+tries=1", "+time=3",
                                  *options, "TXT", name).replace('"', "").split()

    def mail(self, host, port, file):
        host = f"[{host}]" if ":" in host else host
        self.namespace.run("curl", "-sSg", "--max-time", 10, f"smtp://{host}:{port}/client.nezu.test",
                           "--mail-from", "client@nezu.test", "--mail-rcpt", "all@nezu.test",
                           "--crlf", "-T", file)

    def radius(self, host, port, password="hello"):
        to = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        done = self.namespace.run(
            "radclient", "-6" if ":" in host else "-4", "-x", "-t", 3, "-r", 1, to, "auth",
            "testing", text=f"User-Name=bob,User-Password={password}\n", check=False)
        return done.stdout


VIPS = (VIP, VIP6)
