#!/usr/bin/python3
"""An independent client: Debian's python3-grpcio learns the API by server reflection, knows nothing
of our code, and drives the real program. Usage: client_test.py NEZU-CONTROLPLANE"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

failures = 0


def check(number, what, is_good):
    global failures
    failures += not is_good
    print(f"{'ok' if is_good else 'not ok'} {number} - {what}", flush=True)


def fields(data):
    """The length-delimited fields of a message, as (number, bytes)."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            yield tag >> 3, data[at:at + size]
            at += size
        elif tag & 7 == 0:
            varint()
        else:
            raise ValueError(f"wire type {tag & 7}")


class Client:
    def __init__(self, path):
        # A subchannel of its own: a shared one remembers that the last process was just killed.
        self.channel = grpc.insecure_channel(f"unix:{path}", options=[
            ("grpc.use_local_subchannel_pool", 1)])
        self.pool = descriptor_pool.DescriptorPool()
        self.known = set()

    def reflect(self, number, text):
        """grpc.reflection.v1alpha: one request, the fields of its answer."""
        request = bytes([number << 3 | 2, len(text)]) + text.encode()
        call = self.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        return next(call(iter([request]), timeout=5))

    def services(self):
        listing = dict(fields(self.reflect(7, "*")))[6]
        return [dict(fields(one))[1].decode() for _, one in fields(listing)]

    def learn(self, number, name):
        found = []
        for field, inner in fields(self.reflect(number, name)):
            if field == 4:
                found += [data for _, data in fields(inner)]
        for data in found:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            if file.name in self.known:
                continue
            self.known.add(file.name)
            for dependency in file.dependency:
                if dependency not in self.known:
                    self.learn(3, dependency)
            self.pool.Add(file)

    def call(self, service, method, /, **arguments):
        self.learn(4, service)
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        factory = message_factory.MessageFactory(self.pool)
        ask, answer = factory.GetPrototype(found.input_type), factory.GetPrototype(found.output_type)
        return self.channel.unary_unary(
            f"/{service}/{method}", request_serializer=ask.SerializeToString,
            response_deserializer=answer.FromString)(ask(**arguments), timeout=5)


def start(program, folder, *options):
    """Returns when the program has told its service manager that it is ready, or has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        notice = folder / "notify"
        notice.unlink(missing_ok=True)
        manager.bind(str(notice))
        manager.settimeout(0.1)
        process = subprocess.Popen(
            [program, "--region-dir", folder / "region", "--state-dir", folder / "state",
             "--listen", f"unix:{folder}/api.sock", "--heap-mib", "8", "--max-servers", "256",
             "--max-services", "64", "--max-pools", "64", "--max-addresses", "256", *options],
            env=os.environ | {"NOTIFY_SOCKET": str(notice)})
        for _ in range(300):
            try:
                if b"READY=1" in manager.recv(4096).split(b"\n"):
                    break
            except TimeoutError:
                if process.poll() is not None:
                    break
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    return process.wait(10)


def certificates(folder):
    """A CA, a server and a client that it signed, and a client that signed itself."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *new, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-subj", f"/CN={name}")
    for name in ("server", "operator"):
        openssl("req", *new[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.pem")


def secured(folder, name, port):
    read = lambda file: (folder / file).read_bytes()  # noqa: E731
    credentials = grpc.ssl_channel_credentials(
        read("ca.pem"), *((read(f"{name}.key"), read(f"{name}.pem")) if name else ()))
    channel = grpc.secure_channel(f"localhost:{port}", credentials)
    try:
        return channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=3), channel
    except grpc.RpcError:
        return b"", channel


def test_tls(program, folder):
    certificates(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(program, folder, "--listen-tls", f"127.0.0.1:{port}", "--cert",
                    folder / "server.pem", "--key", folder / "server.key", "--client-ca",
                    folder / "ca.pem")
    try:
        good, channel = secured(folder, "operator", port)
        check(9, "TLS lets in a client whose certificate the CA signed", good == b"\x08\x01")
        check(10, "TLS keeps out a client without certificate",
              not secured(folder, "", port)[0])
        check(11, "TLS keeps out a client that signed itself",
              not secured(folder, "stranger", port)[0])
        client = Client(folder / "api.sock")
        client.channel = channel
        client.call("nezu.v1.ConfigurationService", "SetServerWeight", pool="web", weight=9,
                    server={"address": "10.0.0.1", "port": 80})
        check(12, "the certificate's name is in the history",
              client.call("nezu.v1.ConfigurationService", "Get").author == "operator")
    finally:
        stop(process)
    refused = subprocess.run([program, "--listen", "0.0.0.0:5000"], capture_output=True, text=True)
    check(13, "a TCP port without certificates is refused with a sentence",
          refused.returncode != 0 and "would let anybody in" in refused.stderr)


def main(program):
    print("1..13")
    with tempfile.TemporaryDirectory(prefix="nezu-client-") as name:
        folder = pathlib.Path(name)
        (folder / "region").mkdir()
        process = start(program, folder)
        try:
            client = Client(folder / "api.sock")
            names = client.services()
            check(1, "reflection lists every service", {
                "grpc.health.v1.Health", "nezu.v1.ConfigurationService", "nezu.v1.StateService",
                "nezu.v1.FlowService", "nezu.v1.SystemService"} <= set(names))
            health = client.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
            check(2, "grpc.health.v1 says SERVING", health == b"\x08\x01")
            service = "nezu.v1.ConfigurationService"
            done = client.call(service, "Apply", configuration={
                "services": [{"name": "shop", "address": "203.0.113.10", "port": 80,
                              "pool": "web"}],
                "pools": [{"name": "web", "servers": [{"address": "10.0.0.1", "port": 80}]}]})
            check(3, "a configuration is applied", done.revision == 1 and done.generation > 0)
            try:
                client.call(service, "CreateService", service={"name": "bad name"})
                check(4, "bad input is refused", False)
            except grpc.RpcError as error:
                details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
                check(4, "bad input is refused with google.rpc.BadRequest",
                      error.code() == grpc.StatusCode.INVALID_ARGUMENT
                      and b"google.rpc.BadRequest" in details)
            facts = client.call("nezu.v1.SystemService", "GetSystem")
            check(5, "the region shows the revision", facts.regions[0].revision == 1)
            check(6, "SIGTERM ends it with status 0", stop(process) == 0)
            process = start(program, folder)
            client = Client(folder / "api.sock")
            got = client.call(service, "Get")
            check(7, "after a restart all is as it was",
                  got.revision == 1 and got.configuration.services[0].name == "shop")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            (folder / "api.sock").unlink()
            process = start(program, folder)
            got = Client(folder / "api.sock").call(service, "Get")
            check(8, "after a kill as well", got.configuration.services[0].name == "shop")
        finally:
            if process.poll() is None:
                stop(process)
        (folder / "api.sock").unlink(missing_ok=True)
        test_tls(program, folder)
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
