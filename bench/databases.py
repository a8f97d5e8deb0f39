"""Redis and MongoDB for what is measured: real ones, each on a free port, in the directory of the
server that uses them."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"


class Failed(Exception):
    """A server or a run that did not work; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def mongod_program():
    """MONGOD, what scripts/install-test-deps has installed, or one in the path; None without."""
    places = [os.environ.get("MONGOD", ""), str(ROOT / "t/.mongod/mongod"),
              shutil.which("mongod") or ""]
    return next((place for place in places if place and os.path.exists(place)), None)


def redis_program():
    return shutil.which("redis-server")


def install_peers():
    """The npm packages of bench/peers, once."""
    if not (PEERS / "node_modules").exists():
        subprocess.run(["npm", "ci", "--loglevel=error"], cwd=PEERS, check=True,
                       stdout=subprocess.DEVNULL)


def await_port(process, port, name):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"{name} did not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"{name} does not answer")


def start_redis(directory, log):
    """A Redis that keeps nothing. Returns its process and its port."""
    port = free_port()
    process = subprocess.Popen(
        [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no", "--dir", str(directory)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    await_port(process, port, "Redis")
    return process, port


def start_mongod(directory, log):
    """A replica set of one, as durable as a deployer's: an acknowledged write is in the journal.
    Returns its process and its port."""
    port = free_port()
    data = directory / "mongod"
    data.mkdir()
    process = subprocess.Popen(
        [mongod_program(), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1",
         "--nounixsocket", "--replSet", "rs", "--oplogSize", "512",
         "--wiredTigerCacheSizeGB", "1", "--quiet", "--logpath", str(directory / "mongod.log")],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    await_port(process, port, "mongod")
    install_peers()
    subprocess.run(["node", str(PEERS / "replica-set.js"), str(port)], check=True, timeout=60,
                   stdout=log, stderr=log)
    return process, port
