#!/usr/bin/env python3
"""A second client of tidyd's control socket, written from docs/protocol.md alone, with the public package cbor2.

    client.py SOCKET FILE     FILE lies in a watched folder, and filing is paused

Says hello, asks how things stand, subscribes, files FILE, hears of it, finds it in every way there is, puts it back, files it
again, and breaks the rules to see what is said. Prints what it found as JSON. Exit code 1 with a message when something is not as the document says.
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


    def pages(self, method, params, limit):
        """Everything in a list, a few at a time."""
        cursor, items = None, []
        while True:
            page = self.call(method, {**params, "cursor": cursor, "limit": limit})
            assert page["kind"] == method, page
            assert len(page["data"]["items"]) <= limit, page
            items += page["data"]["items"]
            cursor = page["data"]["cursor"]
            if cursor is None:
                return items

    def refused(self, method, params):
        """The error that a call is answered with."""
        number = self.ask(method, params)
        message = self.receive()
        assert message["id"] == number and "error" in message, message
        return message["error"]


def find(client, raw, paths):
    """FILE among the known files, whatever is asked."""
    everything = client.pages("files", {}, 1)
    assert sorted(item["path"] for item in everything) == sorted(paths), everything
    one = client.call("file", {"path": raw})
    assert one["kind"] == "file" and one["data"]["path"] == raw, one
    assert one["data"]["stored"]["outcome"] == "filed" and one["data"]["history"], one
    size, category = one["data"]["size"], one["data"]["category"]
    name = os.fsdecode(os.path.basename(raw))
    for query in [
        {"name": name[1:-1].upper()},
        {"name": "*" + name[-5:]},
        {"fuzzy": name[:3] + name[4:]},
        {"category": category, "min_size": size, "max_size": size, "outcome": "filed"},
        {"under": os.path.dirname(raw), "sort": "age", "reverse": True},
        {"where": f'name = "{name}"', "modified_until_ns": one["data"]["modified_ns"]},
    ]:
        found = client.pages("files", query, 100)
        assert raw in [item["path"] for item in found], (query, found)
    for sort, field in [("size", "size"), ("age", "modified_ns")]:
        sizes = [item[field] for item in client.pages("files", {"sort": sort}, 2)]
        assert sizes == sorted(sizes, reverse=True) and len(sizes) == len(paths), sizes
    by_path = [item["path"] for item in client.pages("files", {"sort": "path"}, 2)]
    assert by_path == sorted(paths), by_path
    assert client.refused("files", {"sort": "score"})["code"] == "bad-request"
    assert client.refused("files", {"sort": "age", "cursor": "x"})["code"] == "bad-request"
    return one["data"]


def look_around(client, raw, filed):
    """What else can be asked without changing anything."""
    assert client.call("health")["data"]["ok"] is True
    metrics = client.call("metrics")["data"]["text"]
    assert metrics.endswith("# EOF\n") and "tidyd_requests_waiting" in metrics, metrics
    assert client.call("store-verify")["data"]["ok"] is True
    assert client.call("errors") == {"kind": "errors", "data": []}
    why = client.call("explain", {"path": filed})["data"]
    assert why["exists"] and why["history"][0]["dst"] == filed, why
    there = client.call("explain", {"path": filed, "as": raw})["data"]
    assert there["as"] == raw and there["would"]["steps"], there
    groups = client.pages("duplicates", {}, 1)
    assert [len(group["paths"]) for group in groups] == [2], groups
    resolve = {"which": {"action": "trash", "keep": "oldest"}, "dry_run": True}
    steps = client.call("resolve", resolve)["data"]["steps"]
    assert [s["kind"] for s in steps if s["src"] in groups[0]["paths"]] == ["trash"], steps
    report = client.call("report", {"since_ns": None, "until_ns": None})["data"]
    batches = client.pages("batches", {}, 1)
    assert report["done"]["filed"]["files"] == 1 == batches[0]["done"], (report, batches)
    shown = client.call("show", {"batch": batches[0]["id"], "limit": 1})["data"]
    assert len(shown["operations"]) == 1, shown
    categories = client.call("categories")["data"]
    assert sum(c["files"] for c in categories) == 3, categories
    hits = {r["rule"]: r["hits"] for r in client.call("rules")["data"]}
    assert sum(hits.values()) == 1, hits
    assert client.call("suggest")["kind"] == "suggestions"
    jobs = client.call("jobs")["data"]
    job = client.call("job", {"id": jobs[0]["id"]})["data"]
    assert {**job, "outcome": None} == jobs[0] and job["outcome"]["organize"]["filed"] == 1, (job, jobs)
    assert client.refused("job", {"id": 999})["code"] == "not-found"


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
    there = moves[0]["dst"]
    assert not os.path.exists(file) and os.path.exists(there)
    while True:
        event = listener.receive()["event"]
        if event["event"] == "operation" and event["data"]["src"] == raw:
            break

    known = [os.path.join(os.path.dirname(raw), name) for name in (b"one.bin", b"two.bin")]
    find(client, there, [there, *known])
    look_around(client, raw, there)

    log = client.call("log", {"path": raw, "limit": 10})
    done = log["data"]["items"][0]
    assert log["kind"] == "log" and done["src"] == raw and done["state"] == "done", log
    selector = {"selector": {"operation": done["id"]}, "dry_run": False}
    back = client.to_its_end(client.call("rollback", selector))
    assert back["rollback"]["restored"] == 1, back
    assert os.path.exists(file), "it is back"
    redone = client.to_its_end(client.call("redo", {"selector": {"last": 1}, "dry_run": False}))
    assert redone["rollback"]["restored"] == 1 and os.path.exists(there), redone
    back = client.to_its_end(client.call("rollback", {"selector": {"last": 1}, "dry_run": False}))
    assert os.path.exists(file), back
    for change in ("pause", "resume", "rescan"):
        roots = client.call(change, {} if change == "rescan" else {"root": None})
        assert roots == {"kind": "roots", "data": [status["data"]["roots"][0]["path"]]}, roots

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
