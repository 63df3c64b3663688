#!/usr/bin/python3
"""SIPp on both sides of Nezu: calls with audio, from one port to all servers, in nat and fullnat, over
IPv4, IPv6 and between them; a Call-ID keeps its server, whoever calls."""
import pathlib
import re
import tempfile
import time

from case import Case, tap
from namespaces import wait_until
from services import SHIFT, configuration, pool, service
from world import CLIENTS, CLIENTS6, SERVERS, VIP, VIP6, number

SIP, ACROSS = 5060, 7060
FULLNAT = SIP + SHIFT["fullnat"]
MEDIA, MINE = 6000, 20000  # of all servers, of the client
CALLS, SECONDS = 12, 1.5

HEADERS = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[local_ip]:[local_port]>;tag=[call_number]
{to}
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
"""
ECHOED = """[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:bob@[local_ip]:[local_port]>
"""
AUDIO = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 8
a=rtpmap:8 PCMA/8000
"""
NOTHING = "Content-Length: 0\n\n"


def send(first, headers, body, again=True):
    retransmits = ' retrans="500"' if again else ""
    return f"<send{retransmits}><![CDATA[\n{first}\n{headers}{body}]]></send>\n"


def scenario(name, *steps):
    return (f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n' +
            "".join(steps) + "</scenario>\n")


def caller(audio):
    to = "To: <sip:bob@[remote_ip]:[remote_port]>"
    return scenario(
        "a call with audio",
        send("INVITE sip:bob@[remote_ip]:[remote_port] SIP/2.0",
             HEADERS.format(to=to, cseq="1 INVITE"), AUDIO.format(port="[rtpstream_audio_port]")),
        '<recv response="180" optional="true"/>\n<recv response="200" rrs="true"/>\n',
        send("ACK [next_url] SIP/2.0", HEADERS.format(to="[last_To:]", cseq="1 ACK"), NOTHING,
             again=False),
        f'<nop><action><exec rtp_stream="{audio},1,8"/></action></nop>\n',
        f'<pause milliseconds="{int(SECONDS * 1000)}"/>\n',
        send("BYE [next_url] SIP/2.0", HEADERS.format(to="[last_To:]", cseq="2 BYE"), NOTHING),
        '<recv response="200"/>\n')


def callee():
    tag = ";tag=[pid]SIPpTag[call_number]"
    return scenario(
        "who answers", '<recv request="INVITE" rrs="true"/>\n',
        send("SIP/2.0 180 Ringing", ECHOED.format(tag=tag), NOTHING, again=False),
        '<pause milliseconds="100"/>\n',  # SIPp takes it ill when one overtakes the other
        send("SIP/2.0 200 OK", ECHOED.format(tag=tag), AUDIO.format(port="[media_port]")),
        '<recv request="ACK"/>\n<recv request="BYE"/>\n',
        send("SIP/2.0 200 OK", ECHOED.format(tag=""), NOTHING, again=False))


def services():
    all_services, pools = [], []
    for family in (0, 1):
        name = f"sip{(4, 6)[family]}"
        pools.append(pool(name, SIP, family, "udp"))
        for mode in SHIFT:
            all_services.append(service(f"{name}-{mode}", name, SIP, family, "udp", mode) +
                                "\n  application: sip")
    all_services.append(service("sip-across", "sip4", ACROSS - SHIFT["fullnat"], 1, "udp",
                                "fullnat") + "\n  application: sip\n  call_timeout_s: 60")
    return configuration(all_services, pools)


class Sip(Case):
    workers = 2
    configuration = services()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        audio = world.folder / "audio.raw"
        audio.write_bytes(bytes([0xD5]) * int(8000 * (SECONDS - 0.5)))
        (world.folder / "caller.xml").write_text(caller(audio))
        (world.folder / "callee.xml").write_text(callee())
        for server in world.servers.values():
            for family in (0, 1):
                host = SERVERS[server.name][family]
                host = f"[{host}]" if family else host
                world.process(f"{server.name}-sip{family}", *server.namespace.command(
                    "sipp", "-sf", world.folder / "callee.xml", "-i", host, "-p", SIP, "-mi", host,
                    "-mp", MEDIA, "-rtp_echo", "-nostdin"))
            wait_until("SIPp listens", lambda one=server: len(one.namespace.run(
                "ss", "-Hlun", f"sport = :{SIP}").splitlines()) == 2)

    def call(self, vip, port, source, *options):
        """All calls are answered, end well, and have audio both ways; packets each way."""
        world = self.world
        literal = (lambda host: f"[{host}]") if ":" in vip else (lambda host: host)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # a busy disk would lose packets
            file = pathlib.Path(folder) / "rtp"
            # What the kernel delivers and sends, between the ports of the media alone.
            capture = world.process(f"capture-{time.monotonic_ns()}", *world.client.command(
                "tcpdump", "-nli", "eth0", "-w", file, "-U", "-Z", "root",
                f"udp and host {vip} and portrange {MINE}-{MINE + 200}"))
            wait_until("tcpdump listens", lambda: "listening on" in capture.tail())
            world.client.run("sipp", f"{literal(vip)}:{port}", "-sf", world.folder / "caller.xml",
                             "-i", literal(source), "-p", 5070, "-mi", literal(source), "-mp", MINE,
                             "-l", 50, "-r", 40, "-nostdin", "-timeout", 20, *options, timeout=40)
            time.sleep(0.3)
            capture.stop(3)
            lines = world.client.run("tcpdump", "-nr", file).splitlines()
        sent = [line for line in lines if re.search(rf"{re.escape(source)}\.{MINE} > ", line)]
        heard = [line for line in lines if f" > {source}.{MINE}: " in line]
        self.assertGreater(len(sent), 20)
        self.assertGreaterEqual(len(heard), 0.9 * len(sent),
                                f"the servers' echo comes back\n{capture.tail()}")
        for line in heard:
            self.assertIn(f" {vip}.", line)
        return len(sent)

    def servers_of(self, name):
        return {flow["server"] for flow in
                self.world.nezu_json("flows", "--service", name, "--limit", 1000)["flows"]}

    def check(self, name, vip, port, source, family):
        sent = self.call(vip, port, source, "-m", CALLS)
        self.assertGreater(sent, CALLS * 30)
        self.assertEqual({SERVERS[one][family] for one in SERVERS}, self.servers_of(name))

    def test_nat(self):
        self.check("sip4-nat", VIP, SIP, CLIENTS[0], 0)
        self.check("sip6-nat", VIP6, SIP, CLIENTS6[0], 1)

    def test_fullnat(self):
        self.check("sip4-fullnat", VIP, FULLNAT, CLIENTS[0], 0)
        self.check("sip6-fullnat", VIP6, FULLNAT, CLIENTS6[0], 1)

    def test_clients_of_ipv6_call_servers_of_ipv4(self):
        self.check("sip-across", VIP6, ACROSS, CLIENTS6[0], 0)

    def options(self, call, sources):
        """The servers that a message of that call goes to, from each of the addresses."""
        text = ("OPTIONS sip:b@x SIP/2.0\\r\\nVia: SIP/2.0/UDP x\\r\\nFrom: a;tag=1\\r\\nTo: b\\r\\n"
                f"Call-ID: {call}\\r\\nCSeq: 1 OPTIONS\\r\\nContent-Length: 0\\r\\n\\r\\n")
        self.world.client.run("/usr/bin/python3", "-c", (
            "import socket\n"
            f"for source in {sources}:\n"
            "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "    s.bind((source, 0))\n"
            f"    s.sendto(b'{text}', ('{VIP}', {FULLNAT}))\n"))
        wait_until("all have arrived", lambda: all(self.to_servers(one) for one in sources))
        return set().union(*(self.to_servers(one) for one in sources))

    def to_servers(self, source):
        flows = self.world.nezu_json("flows", "--service", "sip4-fullnat", "--client", source)
        return {flow["server"] for flow in flows.get("flows", [])}

    def test_a_call_id_keeps_its_server(self):
        """From other client addresses, too, while calls as such go round."""
        first = self.options("the-same", CLIENTS[10:11])
        self.assertEqual(first, self.options("the-same", CLIENTS[11:20]))
        others = set()
        for number_, source in enumerate(CLIENTS[20:25]):
            others |= self.options(f"another-{number_}", [source])
        self.assertGreater(len(others), 1)
        workers = self.world.nezu_json("system")["workers"]
        self.assertGreaterEqual(sum(number(worker, "calls") for worker in workers), 6)

    def test_what_is_no_message_is_refused_by_name(self):
        before = self.world.drops()
        self.world.client.run("/usr/bin/python3", "-c", (
            "import socket\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"for text in (b'hello', b'\\r\\n\\r\\n'): s.sendto(text, ('{VIP}', {SIP}))\n"))
        wait_until("both are counted", lambda: all(
            self.world.drops().get(one, 0) > before.get(one, 0)
            for one in ("sip_message_broken", "sip_keep_alive")))

    def test_services_are_refused_in_words(self):
        for words, wanted in ((("protocol=tcp",), "SIP is read over UDP alone"),
                              (("protocol=udp", "call_timeout_s=5"), "must be from 10"),
                              (("protocol=udp", "mode=route"), "answers pass the balancer by")):
            refused = self.world.nezu("service", "create", "bad", f"address={VIP}", "port=99",
                                      "pool=sip4", "application=sip", *words, check=False)
            self.assertNotEqual(0, refused.returncode)
            self.assertIn(wanted, refused.stdout + refused.stderr)


if __name__ == "__main__":
    tap.main()
