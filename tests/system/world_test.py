#!/usr/bin/python3
"""The small network itself, with the kernel routing in Nezu's place: what fails here is no fault
of Nezu."""
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap  # noqa: E402
from namespaces import hide_from_kernel, run  # noqa: E402
from world import (BACK, BACK6, ECHO, FRONT, FRONT6, HTTP, SERVERS, World, result)  # noqa: E402


class KernelRouting(unittest.TestCase):
    def setUp(self):
        self.world = World().__enter__()
        self.addCleanup(self.world.__exit__, None)
        self.world.lb.address("front", f"{FRONT}/24", f"{FRONT6}/64")
        self.world.lb.address("back", f"{BACK}/24", f"{BACK6}/64")
        self.world.lb.sysctl("net.ipv4.ip_forward", 1)
        self.world.lb.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.world.client.ip("route", "add", "10.0.0.0/24", "via", FRONT)
        self.world.client.ip("-6", "route", "add", "2001:db8:2::/64", "via", FRONT6)

    def test_clients_reach_servers_and_see_their_failures(self):
        world, addresses = self.world, SERVERS["web2"]
        clients = [world.traffic(role, host, ECHO, "--seconds", 2, "--interval", 0.2)
                   for role in ("hold", "ask") for host in addresses]
        failing = world.traffic("fetch", addresses[0], HTTP, "--rate", 50, "--tolerant")
        strict = world.traffic("fetch", addresses[1], HTTP, "--rate", 50)
        time.sleep(1)
        world.servers["web2"].kill_nginx()
        time.sleep(0.5)
        world.servers["web2"].start_nginx()
        time.sleep(0.5)
        for client in clients:
            self.assertEqual(0, client.wait(20), client.tail())
            self.assertEqual({"web2"}, set(result(client)["servers"]))
            self.assertEqual(64, len(result(client)["seen"]))
        self.assertEqual(1, failing.stop())
        self.assertGreater(result(failing)["failed"], 10)
        self.assertGreater(result(failing)["answers"], 50)
        self.assertEqual(1, strict.wait(5), "a strict client ends at its first failure")

    def test_a_hidden_device_is_silent_but_raw_sockets_hear_it(self):
        world = self.world
        world.client.run("ping", "-c1", "-W2", FRONT)
        hide_from_kernel(world.lb, "front")
        dump = world.process("dump", *world.lb.command(
            "timeout", "3", "tcpdump", "-lni", "front", "-c1", "icmp"))
        time.sleep(1)
        self.assertNotEqual(0, world.client.run("ping", "-c1", "-W1", FRONT,
                                                check=False).returncode)
        dump.wait(5)
        self.assertIn("ICMP echo request", dump.tail())

    def test_nothing_is_left_behind(self):
        world = self.world
        pids = [process.pid for process in world.processes if process.alive()]
        self.assertTrue(pids)
        world.close()
        self.assertNotIn(world.client.name, run("ip", "netns", "list"))
        self.assertFalse(world.folder.exists())
        for process in world.processes:
            self.assertFalse(process.alive())


if __name__ == "__main__":
    tap.main()
