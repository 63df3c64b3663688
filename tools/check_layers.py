#!/usr/bin/python3
"""usage: check_layers.py [ROOT]   who may include whom; exit status 1 when a file breaks a rule.

A folder sees only what stands in its line (and itself). The stages admit, forward, route and link
do not see each other: only dataplane/path.* knows them all.
"""
import pathlib
import re
import sys

NET = ["dataplane/net"]
TABLES = NET + ["dataplane/tables"]
PARSE = TABLES + ["dataplane/parse"]
FLOW = PARSE + ["dataplane/flow"]
STEER = FLOW + ["dataplane/steer"]
STAGES = STEER + ["dataplane/" + stage for stage in ("admit", "forward", "route", "link", "alg")]
PATH = STAGES + ["dataplane/path"]
CONTROL = ["controlplane/" + name for name in ("config", "compile", "publish", "health")]

VISIBLE = {
    "dataplane/net": [],
    "dataplane/tables": NET,
    "dataplane/parse": TABLES,
    "dataplane/capture": PARSE,
    "dataplane/flow": PARSE,
    "dataplane/steer": FLOW,
    "dataplane/admit": STEER,
    "dataplane/forward": FLOW,
    "dataplane/route": FLOW,
    "dataplane/link": FLOW,
    "dataplane/alg": NET,
    "dataplane/path": STAGES,
    "dataplane/device": PATH + ["dataplane/capture"],
    "dataplane/": PATH + ["dataplane/capture", "dataplane/device"],  # worker, housekeeper, main
    "controlplane/config": TABLES + ["proto/"],
    "controlplane/compile": TABLES + ["proto/"] + CONTROL[:1],
    "controlplane/publish": TABLES + ["proto/"] + CONTROL[:2],
    "controlplane/health": TABLES + ["proto/"] + CONTROL[:2],
    "controlplane/": TABLES + ["proto/"] + CONTROL,  # api and main see all
    "tools/": PATH + ["proto/"] + CONTROL + ["controlplane/"],
}
# Pure algorithms of DPDK may be wrapped where they are needed; ports, memory and EAL may not.
ALGORITHMS = {"rte_fib", "rte_fib6", "rte_rib", "rte_lpm", "rte_lpm6", "rte_acl", "rte_thash",
              "rte_thash_gfni"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def layer_of(path, layers):
    """The layer that a path of the tree belongs to: the longest name that it starts with."""
    if re.match(r"dataplane/path[^/]*\.(cc|h)$", path):
        return "dataplane/path"
    names = [name for name in layers if path.startswith(name if name[-1] == "/" else name + "/")]
    return max(names, key=len, default=None)


def is_generated(include):
    return include.endswith((".pb.h", ".pb.cc"))


def problem_of(path, include, quoted):
    """Why `path` may not include `include`, or None."""
    layer = layer_of(path, VISIBLE)
    if include.startswith(("rte_", "bus_")):
        if layer != "dataplane/device" and include.removesuffix(".h") not in ALGORITHMS:
            return "only dataplane/device includes DPDK"
        return None
    if path.startswith("dataplane/") and (is_generated(include)
                                          or include.startswith(("grpc", "google/"))):
        return "generated protobuf and gRPC stay out of the data plane"
    if is_generated(include) or not quoted:
        return None
    if "/" not in include:
        return "includes are written from the root of the tree"
    known = layer_of(include, [*VISIBLE, "proto/", "tests/", "bench/"])
    if known is None or known == layer or known in VISIBLE[layer]:
        return None
    return f"{layer} does not see {known}"


def problems(root):
    found = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.suffix not in (".cc", ".h") or layer_of(path, VISIBLE) is None:
            continue
        text = COMMENT.sub("", file.read_text(errors="replace"))
        for match in INCLUDE.finditer(text):
            problem = problem_of(path, match[2], match[1] == '"')
            if problem:
                found.append(f'{path}: "{match[2]}": {problem}')
    return found


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else __file__).resolve()
    found = problems(root if arguments else root.parent.parent)
    print("\n".join(found) if found else "every include keeps to the layers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
