"""The gRPC API for tests that are too quick for a command line: `Api(world).call(...)`.

Messages come from protoc at run time (packages python3-grpcio, python3-protobuf).
"""
import importlib
import os
import pathlib
import sys

# The library would wait for its own threads before every fork, and tests start many processes.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
import grpc  # noqa: E402

from namespaces import run  # noqa: E402

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


class Api:
    def __init__(self, world):
        folder = world.folder / "proto"
        folder.mkdir(exist_ok=True)
        run("protoc", "-I", PROTO, f"--python_out={folder}",
            *sorted((PROTO / "nezu" / "v1").glob("*.proto")))
        sys.path.insert(0, str(folder))
        self.address = f"unix:{world.socket}"
        self.channel = grpc.insecure_channel(self.address, options=[
            ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200),
            # Else a new channel shares the connection of an old one, which may be a dead peer's.
            ("grpc.use_local_subchannel_pool", 1)])
        self.files = [importlib.import_module(f"nezu.v1.{file.stem}_pb2")
                      for file in (PROTO / "nezu" / "v1").glob("*.proto")]

    def message(self, name, /, **fields):
        for file in self.files:
            if hasattr(file, name):
                return getattr(file, name)(**fields)
        raise KeyError(name)

    def call(self, service, method, answer, request, seconds=5, patient=False):
        return self.channel.unary_unary(
            f"/nezu.v1.{service}/{method}", request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=lambda data: type(self.message(answer)).FromString(data)
        )(request, timeout=seconds, wait_for_ready=patient)

    def identity(self, address, port):
        return self.message("ServerIdentity", address=address, port=port, protocol=1)

    def set_weight(self, pool, address, port, weight):
        return self.call("ConfigurationService", "SetServerWeight", "ChangeResponse", self.message(
            "SetServerWeightRequest", pool=pool, server=self.identity(address, port),
            weight=weight))

    def create_server(self, pool, address, port):
        return self.call("ConfigurationService", "CreateServer", "ChangeResponse", self.message(
            "CreateServerRequest", pool=pool,
            server=self.message("RealServer", address=address, port=port)))

    def delete_server(self, pool, address, port):
        return self.call("ConfigurationService", "DeleteServer", "ChangeResponse", self.message(
            "DeleteServerRequest", pool=pool, server=self.identity(address, port)))

    def create_service(self, **fields):
        return self.call("ConfigurationService", "CreateService", "ChangeResponse", self.message(
            "CreateServiceRequest", service=self.message("VirtualService", **fields)))

    def delete_service(self, name):
        return self.call("ConfigurationService", "DeleteService", "ChangeResponse", self.message(
            "DeleteServiceRequest", name=name))

    def system(self):
        return self.call("SystemService", "GetSystem", "System", self.message("GetSystemRequest"),
                         patient=True)

    def our_region(self):
        return [region for region in self.system().regions if region.ours][0]


class Changes:
    """Round after round of changes that must not disturb a flow on servers that stay: weights, a
    server of the unused pool `spare` and an unrelated service that come and go."""
    STRANGER = ("10.0.0.99", 80)  # nobody answers there

    def __init__(self, api, pool, server):
        self.api, self.pool, self.server = api, pool, server
        self.number = 0

    def one(self):
        """The next change; raises grpc.RpcError when it did not succeed."""
        self.number += 1
        api, turn = self.api, self.number % 5
        if turn == 0:
            api.set_weight(self.pool, *self.server, 1)
        elif turn == 1:
            self.tolerate(grpc.StatusCode.ALREADY_EXISTS, api.create_server, "spare",
                          *self.STRANGER)
        elif turn == 2:
            self.tolerate(grpc.StatusCode.ALREADY_EXISTS, api.create_service, name="unrelated",
                          address="192.0.2.99", port=99, pool=self.pool)
        elif turn == 3:
            self.tolerate(grpc.StatusCode.NOT_FOUND, api.delete_server, "spare",
                          *self.STRANGER)
        else:
            self.tolerate(grpc.StatusCode.NOT_FOUND, api.delete_service, "unrelated")

    @staticmethod
    def tolerate(status, call, *arguments, **options):
        """A change that was made just before a crash is met again by the next round."""
        try:
            call(*arguments, **options)
        except grpc.RpcError as error:
            if error.code() != status:
                raise
