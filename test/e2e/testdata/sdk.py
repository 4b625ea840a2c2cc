"""What the real Python client makes of a gateway: sdk.py ADDRESS. One line a call: its name and what came of it."""

import sys

import grpc
from openshell.sandbox import SandboxClient


def listed(client):
    return "understood" if [s.name for s in client.list_all(workspace="default")] == ["alpha"] else "*empty*"


with SandboxClient(sys.argv[1], timeout=10) as client:
    for name, call in {
        "health": lambda: "understood" if client.health().version else "*empty*",
        "list": lambda: listed(client),
        "get": lambda: "understood" if client.get("alpha", workspace="default").name == "alpha" else "*empty*",
        "delete": lambda: "understood" if client.delete("alpha", workspace="default").outcome.value == 1 else "*empty*",
    }.items():
        try:
            print(name, call())
        except grpc.RpcError as refused:
            print(name, refused.code().name)
        except Exception as odd:
            print(name, type(odd).__name__)
