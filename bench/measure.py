"""One measurement: a fresh server, a run of the load generator against it, the server's costs."""

import json
import os
import subprocess
import time

from databases import Failed
from servers import BUILD, SECRET

SETTLE_S = 3
GENERATOR = BUILD / "realtime-load"


class Load:
    """The load generator with --step: it waits for us before it measures and before it closes."""

    def __init__(self, server, mode, *arguments):
        self.process = subprocess.Popen(
            [str(GENERATOR), mode, "--step", "--server", f"127.0.0.1:{server.port}",
             *server.arguments, *[str(a) for a in arguments]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "JWT_SECRET": SECRET})

    def __enter__(self):
        return self

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            why = self.process.stderr.read().strip()
            raise Failed(why or "the load generator ended early")
        return json.loads(line)

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def idle(server, connections):
    """Memory of silent connections, and how fast they came."""
    with server:
        time.sleep(1)
        before = server.memory()
        with Load(server, "idle", "--connections", connections, "--concurrency", 200,
                  "--timeout", 90) as load:
            cpu = server.cpu()
            ready = load.line()
            cpu = server.cpu() - cpu
            if ready["joined"] != connections:
                raise Failed(f"{ready['joined']} of {connections} connected: {ready['why']}")
            time.sleep(SETTLE_S)
            after = server.memory()
            load.go()
            held = load.line()
            if held["lost_connections"]:
                raise Failed(f"{held['lost_connections']} connections were lost: {held['why']}")
    return {**ready, "base_mb": before / 2**20, "kb_each": (after - before) / connections / 1024,
            "kb_all_in": after / connections / 1024, "connect_cpu_ms": cpu / connections * 1000}


def busy(server, mode, *arguments):
    """CPU seconds of the server for what the load generator measured."""
    with server, Load(server, mode, *arguments) as load:
        if mode == "rest":
            cpu = server.cpu()
        else:
            load.line()
            time.sleep(0.3)
            cpu = server.cpu()
            load.go()
        result = load.line()
        result["cpu_s"] = server.cpu() - cpu
    if mode == "fanout":
        result["cpu_per_million"] = result["cpu_s"] / max(result["deliveries"], 1) * 1e6
    else:
        result["cpu_ms_per_message"] = result["cpu_s"] / max(result["messages"], 1) * 1000
    return result


def faults(result):
    """What went wrong in a run, as text; empty when nothing did."""
    names = ("lost", "duplicated", "out_of_order", "seq_breaks", "refused", "unanswered",
             "lost_connections")
    return ", ".join(f"{result[name]} {name.replace('_', ' ')}" for name in names
                     if result.get(name))


def median(results, key):
    """The result in the middle by `key`: numbers of one run stay together."""
    return sorted(results, key=lambda result: result[key])[(len(results) - 1) // 2]
