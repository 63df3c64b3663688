#!/usr/bin/python3
"""Servers that are themselves clients of a VIP, in their own subnet."""
from case import Case, tap
from services import SHIFT
from world import HTTP, SERVERS, VIP, VIP6


class Hairpin(Case):
    workers = 2

    def fetch(self, server, vip, mode):
        host = f"[{vip}]" if ":" in vip else vip
        return server.namespace.run("curl", "-sgf", "--max-time", 5,
                                    f"http://{host}:{HTTP + SHIFT[mode]}/").strip()

    def test_fullnat_reaches_every_server_itself_included(self):
        for vip in (VIP, VIP6):
            for server in self.world.servers.values():
                answers = {self.fetch(server, vip, "fullnat") for _ in range(9)}
                self.assertEqual(set(SERVERS), answers, f"{server.name} asks {vip}")


if __name__ == "__main__":
    tap.main()
