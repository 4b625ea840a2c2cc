"""Drives a gateway with the real Python client of OpenShell 0.1.5: client.py ADDRESS MTLS-FOLDER IMAGE."""

import pathlib
import sys

import grpc
from openshell._proto import openshell_pb2 as pb
from openshell.sandbox import SandboxClient, TlsConfig

address, folder, image = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
tls = TlsConfig(ca_path=folder / "ca.crt", cert_path=folder / "tls.crt", key_path=folder / "tls.key")
spec = pb.SandboxSpec(template=pb.SandboxTemplate(image=image))

with SandboxClient(address, tls=tls, timeout=60) as client:
    print("health", client.health().version)
    made = client.create(name="alpha", workspace="default", spec=spec, labels={"team": "red"})
    print("created", made.name, made.workspace, made.status.phase)
    ready = client.wait_ready("alpha", workspace="default", timeout_seconds=60)
    print("ready", ready.status.phase, ready.status.conditions[0].reason)
    print("list", *[s.name for s in client.list_all(workspace="default")])
    client.create(name="alpha", workspace="team2", spec=spec)
    client.wait_ready("alpha", workspace="team2", timeout_seconds=60)
    print("all", *sorted(s.workspace + "/" + s.name for s in client.list_all_for_all_workspaces()))
    print("pages", *[len(page.items) for page in client.list_for_all_workspaces(page_size=1)])
    ran = client.exec("alpha", ["sh", "-c", "printf out; printf err >&2; exit 7"], workspace="default")
    print("exec", ran.exit_code, ran.stdout, ran.stderr)
    print("stopped", client.stop("alpha", workspace="default").status.phase)
    client.start("alpha", workspace="default")
    print("started", client.wait_ready("alpha", workspace="default", timeout_seconds=60).status.phase)
    print("deleted", client.delete("alpha", workspace="default").outcome.value)
    try:
        client.get("alpha", workspace="default")
    except grpc.RpcError as refused:
        print("gone", refused.code().name)
    print("again", client.delete("alpha", workspace="default", allow_missing=True).outcome.value)
    suspend = client._channel.unary_unary("/openshell.v1.OpenShell/SuspendSandbox", request_serializer=bytes, response_deserializer=bytes)
    try:
        suspend(b"", timeout=10)
    except grpc.RpcError as refused:
        print("suspend", refused.code().name)
