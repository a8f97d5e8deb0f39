"""The servers that are measured: how to start each, what it costs, how to end it.

Each start is a fresh process in a directory of its own. Costs are read from /proc of the server's
process and all its descendants.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from databases import PEERS, ROOT, Failed, free_port, install_peers, start_mongod, start_redis

BUILD = Path(os.environ.get("BUILD") or ROOT / "build").resolve()
SECRET = "the bench signs its tokens with this secret"
WORKER_CONNECTIONS = 16384
TICKS = os.sysconf("SC_CLK_TCK")


def nginx_binary():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which("nginx", path=path)
    if found is None:
        raise Failed("nginx is not installed")
    return found


def nchan_module():
    """Where Debian's libnginx-mod-nchan is (or NCHAN_MODULE says); None without it."""
    places = [os.environ.get("NCHAN_MODULE", ""), "/usr/lib/nginx/modules/ngx_nchan_module.so"]
    return next((place for place in places if place and os.path.exists(place)), None)


def family(pid):
    """The process and all its descendants."""
    pids = [pid]
    for parent in pids:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                children = Path(f"/proc/{parent}/task/{task}/children").read_text()
                pids += [int(child) for child in children.split()]
        except OSError:
            continue
    return pids


def end_process(process):
    """With all that it has started, by force when it takes too long."""
    pids = family(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


class Server:
    """Base of all; `name` is for people, `arguments` go to the load generator."""

    name = ""
    arguments = ()

    def __init__(self):
        self.port = free_port()
        self.dir = None
        self.process = None
        self.helpers = []  # other processes whose costs count

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="realtime-bench-"))
        self.log = open(self.dir / "log", "w", encoding="utf-8")
        try:
            self.start()
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        raise NotImplementedError

    def spawn(self, command, **environment):
        self.process = subprocess.Popen(command, cwd=self.dir, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL,
                                        env={**os.environ, **environment})

    def redis(self):
        """Starts a Redis for this server; its port."""
        process, port = start_redis(self.dir, self.log)
        self.helpers.append(process)
        return port

    def mongod(self):
        """Starts a MongoDB for this server; its URI."""
        process, port = start_mongod(self.dir, self.log)
        self.helpers.append(process)
        return f"mongodb://127.0.0.1:{port}/bench?replicaSet=rs"

    def wait(self):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} did not start: {self.complaint()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                time.sleep(0.5)
                return
            except OSError:
                time.sleep(0.05)
        raise Failed(f"{self.name} does not answer: {self.complaint()}")

    def complaint(self):
        """The last line of its log."""
        lines = (self.dir / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "nothing in its log"

    def __exit__(self, *_):
        for process in [self.process, *reversed(self.helpers)]:
            if process is not None:
                end_process(process)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def pids(self):
        return [pid for process in [self.process, *self.helpers] for pid in family(process.pid)]

    def memory(self):
        """PSS of all processes in bytes."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def cpu(self):
        """User and system seconds of all processes so far."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS


class Nginx(Server):
    """An nginx of the distribution with one module."""

    workers = 1
    tls = False

    def start(self):
        self.prepare()
        (self.dir / "nginx.conf").write_text(self.configuration(), encoding="utf-8")
        self.spawn(self.command())

    def command(self):
        return [nginx_binary(), "-p", str(self.dir), "-e", "stderr",
                "-c", str(self.dir / "nginx.conf")]

    def prepare(self):
        pass

    def configuration(self):
        user = "user root root;" if os.geteuid() == 0 else ""
        temps = "".join(f"    {name}_temp_path {self.dir}/tmp-{name};\n"
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        ssl = ""
        if self.tls:
            ssl = f"ssl_certificate {self.dir}/cert.pem; ssl_certificate_key {self.dir}/key.pem;"
        return (f"load_module {self.module()};\n{user}\n"
                f"worker_processes {self.workers};\n"
                f"worker_rlimit_nofile {WORKER_CONNECTIONS + 1024};\n"
                f"daemon off;\npid {self.dir}/nginx.pid;\nerror_log stderr warn;\n"
                f"events {{ worker_connections {WORKER_CONNECTIONS}; }}\n"
                f"http {{\n    access_log off;\n{temps}{self.http()}\n    server {{\n"
                f"        listen 127.0.0.1:{self.port}{' ssl' if self.tls else ''} reuseport "
                f"backlog=4096;\n        {ssl}\n{self.locations()}    }}\n}}\n")


class Ours(Nginx):
    """This project: with the embedded store, or with MongoDB and Redis."""

    def __init__(self, workers=1, tls=False, protocol="socketio", mongodb=False, redis=False):
        super().__init__()
        self.workers = workers
        self.tls = tls
        self.mongodb = mongodb
        self.needs_redis = redis
        self.name = f"ours, {workers} worker{'s' if workers > 1 else ''}"
        if tls:
            self.name += ", TLS"
        if protocol != "socketio":
            self.name += ", plain WebSocket"
        if mongodb:
            self.name += ", MongoDB"
        if redis:
            self.name += ", Redis"
        self.arguments = ("--protocol", protocol) + (("--tls",) if tls else ())
        self.store = self.bus = None

    def module(self):
        return BUILD / "ngx_http_realtime_module.so"

    def prepare(self):
        (self.dir / "data").mkdir(mode=0o700)
        self.store = f"sqlite:{self.dir}/data/realtime.db"
        if self.mongodb:
            self.store = self.mongod()
        if self.needs_redis:
            self.bus = f"127.0.0.1:{self.redis()}"
        if self.tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-keyout", str(self.dir / "key.pem"),
                            "-out", str(self.dir / "cert.pem")], check=True, capture_output=True)

    def http(self):
        redis = f"    realtime_redis {self.bus};\n" if self.bus else ""
        return (f"    realtime_store {self.store};\n    realtime_assistant off;\n{redis}"
                f"    realtime_bus_dir {self.dir}/data/bus;\n"
                f"    realtime_jwt_secret \"{SECRET}\";")

    def locations(self):
        return ("        location /socket.io/ { realtime on; realtime_rate off; }\n"
                "        location /realtime { realtime on; realtime_rate off; }\n"
                "        location /api/ { realtime_api on; realtime_rate off; }\n")


class TwoHosts(Ours):
    """Two nginx of one worker each, as two hosts behind one Redis and one MongoDB. Half of the
    load's connections go to each."""

    def __init__(self):
        super().__init__(1, mongodb=True, redis=True)
        self.name = "ours, 2 hosts of 1 worker, MongoDB, Redis"
        self.second = Ours(1)
        self.arguments += ("--also", str(self.second.port))

    def start(self):
        super().start()
        self.second.dir = self.dir / "second"
        (self.second.dir / "data").mkdir(parents=True, mode=0o700)
        self.second.log = self.log
        self.second.store, self.second.bus = self.store, self.bus
        (self.second.dir / "nginx.conf").write_text(self.second.configuration(), encoding="utf-8")
        self.second.spawn(self.second.command())
        self.helpers.append(self.second.process)

    def wait(self):
        self.second.wait()
        super().wait()


class SocketIo(Server):
    """socket.io on Node, one process; see peers/socketio.js."""

    name = "socket.io"

    def start(self):
        install_peers()
        self.spawn(["node", str(PEERS / "socketio.js")], JWT_SECRET=SECRET, PORT=str(self.port))


class Stack(Server):
    """socket.io with its Redis adapter and mongoose; see peers/stack.js."""

    name = "socket.io, mongoose, Redis"

    def start(self):
        install_peers()
        self.spawn(["node", str(PEERS / "stack.js")], JWT_SECRET=SECRET, PORT=str(self.port),
                   MONGODB_URI=self.mongod(), REDIS_URL=f"redis://127.0.0.1:{self.redis()}")


class Bare(Server):
    """peers/bare.c: nothing but send(), of as many bytes as our messages have."""

    name = "bare send()"
    arguments = ("--protocol", "raw", "--path", "/", "--publish", "/", "--size", "640")

    def start(self):
        self.spawn([str(BUILD / "realtime-bare")], PORT=str(self.port))


class Nchan(Nginx):
    """nchan: WebSocket subscribers of one channel; no tokens, no rooms, no acknowledgements."""

    name = "nchan, 1 worker"
    arguments = ("--protocol", "raw", "--path", "/sub", "--publish", "/pub")

    def module(self):
        return nchan_module()

    def http(self):
        return "    nchan_shared_memory_size 256m;"

    def locations(self):
        return ("        location = /sub { nchan_subscriber websocket; nchan_channel_id room; }\n"
                "        location = /pub { nchan_publisher http; nchan_channel_id room;\n"
                "            nchan_message_buffer_length 100; }\n")
