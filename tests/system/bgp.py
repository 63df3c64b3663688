"""BIRD as a routing daemon: a session of BGP with BFD between two namespaces."""
from namespaces import run, wait_until

CONFIGURATION = """
router id {own};
log stderr all;
timeformat protocol iso long ms;
protocol device {{ }}
protocol bfd {{ interface "*" {{ interval 300 ms; multiplier 10; }}; }}
protocol static ours {{ ipv4; {routes} }}
protocol bgp peer {{
  local {own} as {number};
  neighbor {peer} as {other};
  hold time 3; keepalive time 1; connect retry time 1; connect delay time 1; error wait time 1, 2;
  bfd on;
  ipv4 {{ import all; export where source = RTS_STATIC; }};
}}
"""


class Bird:
    """One of the two; `routes` are what it tells the other."""

    def __init__(self, world, namespace, own, peer, numbers, routes=()):
        self.socket = world.folder / f"bird-{namespace.short}.sock"
        file = world.folder / f"bird-{namespace.short}.conf"
        file.write_text(CONFIGURATION.format(
            own=own, peer=peer, number=numbers[0], other=numbers[1],
            routes=" ".join(f"route {route} blackhole;" for route in routes)))
        self.process = world.process(f"bird-{namespace.short}", *namespace.command(
            "bird", "-f", "-c", file, "-s", self.socket))
        wait_until("bird listens", self.socket.exists)

    def ask(self, *words):
        return run("birdc", "-r", "-s", self.socket, *words, check=False).stdout

    def session(self):
        """When it was established, by its own clock; empty: it is not."""
        line = self.ask("show", "protocols", "peer").splitlines()[-1].split()
        return " ".join(line[4:6]) if line[-1] == "Established" else ""

    def has_route(self, route):
        return "[peer" in self.ask("show", "route", route)
