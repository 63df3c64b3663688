"""Configurations for the system tests, written as an operator would write them."""
from world import ECHO, HTTP, IPERF, SERVERS, SNAT, SNAT6, VIP, VIP6

FAST_CHECK = "{{ {kind}, interval_ms: 300, timeout_ms: 300, rise: 2, fall: 2 }}"
# The ports on which VIP and VIP6 offer each forwarding mode.
SHIFT = {"nat": 0, "fullnat": 8000}


def pool(name, port, family, protocol="tcp", scheduler="rr", check=None, servers=None, weights=None):
    lines = [f"- name: {name}", f"  scheduler: {scheduler}", f"  protocol: {protocol}"]
    if check:
        lines.append("  check: " + FAST_CHECK.format(kind=check))
    lines.append("  servers:")
    for server in servers or SERVERS:
        weight = f", weight: {weights[server]}" if weights else ""
        lines.append(f'  - {{ address: "{SERVERS[server][family]}", port: {port}{weight} }}')
    return "\n".join(lines)


def service(name, pool_name, port, family, protocol="tcp", mode="nat"):
    snat = f"\n  snat_set: snat" if mode == "fullnat" else ""
    return (f'- name: {name}\n  address: "{(VIP, VIP6)[family]}"\n  port: {port + SHIFT[mode]}\n'
            f"  protocol: {protocol}\n  mode: {mode}\n  pool: {pool_name}{snat}")


def configuration(services, pools):
    return "\n".join(["services:", *services, "pools:", *pools, "snat_sets:", "- name: snat",
                      f'  addresses: ["{SNAT}", "{SNAT6}"]', ""])


def everything(scheduler="rr", servers=None):
    """HTTP, TCP and UDP echo and iperf3, over IPv4 and IPv6, by nat and fullnat."""
    services, pools = [], []
    for family in (0, 1):
        for kind, port, protocol, check in (
                ("http", HTTP, "tcp", "http: {}"), ("echo", ECHO, "tcp", "tcp: {}"),
                ("udp", ECHO, "udp", "icmp: {}"), ("iperf", IPERF, "tcp", None),
                ("iperf-udp", IPERF, "udp", None)):
            name = f"{kind}{(4, 6)[family]}"
            only = ["web1"] if kind.startswith("iperf") else servers
            pools.append(pool(name, port, family, protocol, scheduler, check, only))
            services += [service(f"{name}-{mode}", name, port, family, protocol, mode)
                         for mode in SHIFT]
    # A pool that no service uses: what changes in it concerns nobody.
    pools.append(pool("spare", HTTP, 0, servers=["web1"]))
    return configuration(services, pools)
