#!/usr/bin/python3
"""The layer check must catch what it is there for, and let pass what is allowed."""
import pathlib
import sys
import tempfile
import unittest

TREE = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TREE / "tools"), str(TREE / "tests")]
import check_layers  # noqa: E402
import tap  # noqa: E402


class Layers(unittest.TestCase):
    def problems(self, path, *includes):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text("".join(f"#include {include}\n" for include in includes))
            return check_layers.problems(pathlib.Path(folder))

    def assert_caught(self, path, include):
        self.assertEqual(1, len(self.problems(path, include)), f"{path}: {include}")

    def assert_allowed(self, path, *includes):
        self.assertEqual([], self.problems(path, *includes))

    def test_a_lower_layer_does_not_see_a_higher_one(self):
        self.assert_caught("dataplane/net/a.h", '"dataplane/tables/layout.h"')
        self.assert_caught("dataplane/tables/a.h", '"dataplane/parse/parse.h"')
        self.assert_caught("dataplane/parse/a.cc", '"dataplane/flow/table.h"')
        self.assert_caught("dataplane/flow/a.cc", '"dataplane/steer/shard.h"')
        self.assert_caught("dataplane/link/a.cc", '"dataplane/path.h"')
        self.assert_caught("dataplane/path.cc", '"dataplane/worker.h"')
        self.assert_caught("dataplane/path.cc", '"dataplane/device/port.h"')
        self.assert_caught("dataplane/device/a.cc", '"dataplane/worker.h"')

    def test_a_stage_does_not_see_another_stage(self):
        stages = ["admit", "forward", "route", "link"]
        for stage in stages:
            for other in stages:
                if stage != other:
                    self.assert_caught(f"dataplane/{stage}/a.cc", f'"dataplane/{other}/b.h"')
        self.assert_allowed("dataplane/admit/a.cc", '"dataplane/steer/shard.h"')
        self.assert_caught("dataplane/forward/a.cc", '"dataplane/steer/shard.h"')

    def test_only_path_and_what_stands_above_it_know_all_stages(self):
        stages = [f'"dataplane/{stage}/a.h"' for stage in ("admit", "forward", "route", "link")]
        self.assert_allowed("dataplane/path.cc", *stages)
        self.assert_allowed("dataplane/worker.cc", '"dataplane/path.h"', '"dataplane/device/port.h"')
        self.assert_allowed("dataplane/main.cc", '"dataplane/housekeeper.h"', *stages)

    def test_dpdk_stays_in_device(self):
        for header in ("rte_mbuf.h", "rte_ethdev.h", "rte_eal.h"):
            self.assert_caught("dataplane/worker.cc", f"<{header}>")
            self.assert_caught("dataplane/route/fib.cc", f"<{header}>")
            self.assert_caught("controlplane/main.cc", f"<{header}>")
            self.assert_allowed("dataplane/device/port.cc", f"<{header}>")
        self.assert_allowed("dataplane/route/fib.cc", "<rte_fib.h>")

    def test_the_control_plane_sees_only_net_and_tables(self):
        self.assert_allowed("controlplane/publish/a.cc", '"dataplane/net/address.h"',
                            '"dataplane/tables/layout.h"', '"proto/nezu/v1/nezu.pb.h"')
        self.assert_caught("controlplane/publish/a.cc", '"dataplane/parse/parse.h"')
        self.assert_caught("controlplane/main.cc", '"dataplane/flow/table.h"')
        self.assert_caught("dataplane/tables/a.cc", '"controlplane/config/config.h"')

    def test_protobuf_stays_out_of_the_data_plane(self):
        self.assert_caught("dataplane/main.cc", '"proto/nezu/v1/nezu.pb.h"')
        self.assert_caught("dataplane/net/a.cc", "<google/protobuf/message.h>")
        self.assert_caught("dataplane/housekeeper.cc", "<grpcpp/grpcpp.h>")

    def test_includes_are_written_from_the_root(self):
        self.assert_caught("dataplane/net/a.cc", '"address.h"')

    def test_a_comment_is_not_an_include(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "dataplane/net/a.cc"
            file.parent.mkdir(parents=True)
            file.write_text('// #include "dataplane/path.h"\n/*\n#include <rte_eal.h>\n*/\n')
            self.assertEqual([], check_layers.problems(pathlib.Path(folder)))


if __name__ == "__main__":
    tap.main()
