"""A network plug-in that comes after the bridge: a new pod waits here until the policies for its address hold.

Without it a pod could send and receive in the moment between its start and the next round of the enforcer. The
container runtime runs this file for each pod (CNI specification 0.4.0: the command is in the environment, the
configuration and the result of the plug-in before come on standard input). It uses the standard library only.
"""

import json
import os
import socket
import sys

SOCKET = "/run/penstock-policies.sock"


def main() -> int:
    command = os.environ["CNI_COMMAND"]
    if command == "VERSION":
        print(json.dumps({"cniVersion": "0.4.0", "supportedVersions": ["0.4.0"]}))
        return 0
    configuration = json.load(sys.stdin)
    arguments = dict(pair.split("=", 1) for pair in os.environ.get("CNI_ARGS", "").split(";") if "=" in pair)
    pod = {"namespace": arguments["K8S_POD_NAMESPACE"], "name": arguments["K8S_POD_NAME"], "address": ""}
    if command == "ADD":
        pod["address"] = configuration["prevResult"]["ips"][0]["address"].split("/")[0]
    if command in ("ADD", "DEL"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            try:
                connection.connect(SOCKET)
                connection.sendall(json.dumps(pod).encode() + b"\n")
                answer = connection.recv(16)
            except OSError as error:
                answer = str(error).encode()
        if answer != b"ok\n" and command == "ADD":
            print(json.dumps({"cniVersion": "0.4.0", "code": 100, "msg": f"policies: {answer.decode()}"}))
            return 1
    if command == "ADD":
        print(json.dumps(configuration["prevResult"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
