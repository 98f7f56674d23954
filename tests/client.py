#!/usr/bin/env python3
"""A second client of tidyd's control socket, written from docs/protocol.md alone, with the public package cbor2.

    client.py SOCKET FILE     FILE lies in a watched folder, and filing is paused

Says hello, asks how things stand, subscribes, files FILE, hears of it, puts it back, and breaks the rules to see what is
said. Prints what it found as JSON. Exit code 1 with a message when something is not as the document says.
"""

import json
import os
import socket
import struct
import sys

import cbor2


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.last = 0
        self.send({"protocol": 1, "version": "client.py"})
        self.hello = self.receive()
        assert self.hello["protocol"] == 1, self.hello

    def send(self, item, tail=b""):
        body = cbor2.dumps(item) + tail
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the end of the stream is no answer"
            data += more
        return data

    def receive(self):
        (count,) = struct.unpack(">I", self.exactly(4))
        assert 0 < count <= 16_777_216, count
        return cbor2.loads(self.exactly(count))

    def ask(self, method, params=None):
        """Sends a call and returns its number."""
        self.last += 1
        call = {"id": self.last, "method": method}
        if params is not None:
            call["params"] = params
        self.send(call)
        return self.last

    def call(self, method, params=None):
        """The result of a call; its events are left out."""
        number = self.ask(method, params)
        while True:
            message = self.receive()
            assert message["id"] == number, message
            if "event" in message:
                continue
            assert "error" not in message, message
            return message["result"]

    def to_its_end(self, result):
        """The outcome of a job that has begun."""
        assert result["kind"] == "job", result
        ended = self.call("job-follow", {"id": result["data"]["id"]})
        assert ended["kind"] == "job", ended
        assert ended["data"]["state"] == "done", ended
        return ended["data"]["outcome"]


def main(path, file):
    raw = os.fsencode(file)
    client = Client(path)
    status = client.call("status")
    assert status["kind"] == "status", status
    assert status["data"]["version"] == client.hello["version"], status
    assert raw.startswith(status["data"]["roots"][0]["path"]), status

    listener = Client(path)
    subscription = listener.ask("subscribe")
    first = listener.receive()
    assert first["id"] == subscription and first["event"]["event"] == "state", first

    plan = client.call("organize", {"paths": [raw], "dry_run": True})
    moves = [step for step in plan["data"]["steps"] if step["kind"] == "move"]
    assert plan["kind"] == "plan" and [step["src"] for step in moves] == [raw], plan
    assert os.path.exists(file), "a dry run changes nothing"

    filed = client.to_its_end(client.call("organize", {"paths": [raw], "dry_run": False}))
    assert filed["organize"]["filed"] == 1, filed
    assert not os.path.exists(file) and os.path.exists(moves[0]["dst"])
    while True:
        event = listener.receive()["event"]
        if event["event"] == "operation" and event["data"]["src"] == raw:
            break

    log = client.call("log", {"path": raw, "limit": 10})
    done = log["data"]["items"][0]
    assert log["kind"] == "log" and done["src"] == raw and done["state"] == "done", log
    selector = {"selector": {"operation": done["id"]}, "dry_run": False}
    back = client.to_its_end(client.call("rollback", selector))
    assert back["rollback"]["restored"] == 1, back
    assert os.path.exists(file), "it is back"

    client.ask("dance")
    unknown = client.receive()["error"]
    assert unknown["code"] == "unknown-method", unknown
    client.send({"id": 99, "method": "status"}, tail=b"\0")
    broken = client.receive()
    assert broken["id"] == 0 and broken["error"]["code"] == "malformed", broken
    assert client.socket.recv(1) == b"", "and closed"
    print(json.dumps({"version": client.hello["version"], "filed": 1, "restored": 1}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2])
    except (AssertionError, OSError, cbor2.CBORDecodeError) as error:
        sys.exit(f"client.py: {type(error).__name__}: {error}")
