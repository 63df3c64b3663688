"""Pools of the three servers' echoes, and who of them gets new connections."""
import collections

from case import Case
from namespaces import wait_until
from services import FAST_CHECK
from world import ECHO, HTTP, SERVERS, VIP, result


def pool(name, check, options, servers):
    lines = "\n".join(f"  - {{ address: {SERVERS[server][0]}, port: {ECHO}{more} }}"
                      for server, more in servers.items())
    return f"- name: {name}\n  check: {check}\n{options}  servers:\n{lines}"


def service(name, port, more=""):
    return f"- {{ name: {name}, address: {VIP}, port: {port}, pool: {name}{more} }}"


HTTP_CHECK = FAST_CHECK.format(kind=f"http: {{}}, port: {HTTP}")


def configuration(services, *pools):
    return "\n".join(["services:", *services, "pools:", *pools, ""])


class Servers(Case):
    """What the tests ask and do. Each class has a world of its own: flows and recoveries of one test
    are felt by the next."""
    workers = 2
    configuration = ""

    def states(self):
        """By server's name; web1 to web3 have one identity each, in all pools."""
        seen = self.world.servers_seen()
        return {name: seen[(addresses[0], ECHO)]["state"].upper()
                for name, addresses in SERVERS.items() if (addresses[0], ECHO) in seen}

    def hold(self, port, flows, *options):
        return self.world.traffic("hold", VIP, port, "--flows", flows, *options)

    def end(self, client):
        """How many of its connections each server had."""
        client.stop()
        return collections.Counter(seen.split()[0] for seen in result(client)["seen"].values())

    def no_flows(self, service):
        wait_until(f"the flows of {service} have ended",
                   lambda: not self.world.flows(service), 30)
