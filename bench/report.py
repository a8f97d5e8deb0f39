"""Writes what bench/run measured as a page of tables."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from databases import PEERS, ROOT, mongod_program, redis_program
from servers import WORKER_CONNECTIONS, nchan_module, nginx_binary


def said(*command):
    """What a program prints, one line; empty when it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30,
                              check=False)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip().splitlines()[0] if done.returncode == 0 else ""


def machine():
    model = memory = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemTotal"):
            memory = f"{int(line.split()[1]) / 2**20:.0f} GB"
            break
    return f"{model}, {os.cpu_count()} cores, {memory}, Linux {platform.release().split('-')[0]}"


def versions():
    parts = [f"this project {said('git', 'describe', '--always', '--dirty')}",
             said(nginx_binary(), "-v").replace("nginx version: ", ""),
             f"node {said('node', '--version')}"]
    for package in ("socket.io", "@socket.io/redis-adapter", "mongoose"):
        if (PEERS / "node_modules" / package).exists():
            path = PEERS / "node_modules" / package / "package.json"
            parts.append(f"{package} {json.loads(path.read_text(encoding='utf-8'))['version']}")
    if mongod_program() and redis_program():
        parts.append("mongod " + said(mongod_program(), "--version").rpartition("v")[2])
        parts.append("Redis " + said(redis_program(), "--version").split("v=")[-1].split()[0])
    if nchan_module():
        parts.append("nchan as packaged for that nginx")
    return ", ".join(parts)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio(value, peer, more_is_better):
    if not value or not peer:
        return "–"
    return f"{value / peer if more_is_better else peer / value:.2f} ×"


def peer_value(results, key, peer="socket.io"):
    return next((r[key] for name, r in results if name.startswith(peer) and key in r), None)


def failed(name, result, columns):
    """Why there is no number, short and without the paths of this machine."""
    why = re.sub(r"\S*/\S*", "…", result["error"])[:100]
    return [name, f"failed: {why}"] + ["–"] * (columns - 2)


def idle_table(results):
    peer = peer_value(results, "kb_all_in")
    rows = []
    for name, r in results:
        if "error" in r:
            rows.append(failed(name, r, 7))
            continue
        rows.append([name, f"{r['kb_each']:.2f}", f"{r['base_mb']:.1f}", f"{r['kb_all_in']:.2f}",
                     ratio(r["kb_all_in"], peer, False), f"{r['connects_per_s']:,.0f}",
                     f"{r['connect_cpu_ms']:.2f}"])
    return table(["", "KB each", "base MB", "KB all in", "socket.io ÷ it", "connects/s",
                  "CPU ms each"], rows)


def fanout_table(results):
    peer = peer_value(results, "cpu_per_million")
    floor = peer_value(results, "cpu_per_million", "bare send()")
    rows = []
    for name, r in results:
        if "error" in r:
            rows.append(failed(name, r, 9))
            continue
        rows.append([name, f"{r['deliveries_per_s']:,.0f}", f"{r['p50_ms']:.1f}",
                     f"{r['p99_ms']:.1f}", f"{r['cpu_per_million']:.2f}",
                     ratio(r["cpu_per_million"], peer, False),
                     ratio(r["cpu_per_million"], floor, True), f"{r['messages']:,}",
                     r["faults"] or "none"])
    return table(["", "deliveries/s", "p50 ms", "p99 ms", "CPU s per million",
                  "socket.io ÷ it", "it ÷ bare", "messages", "faults"], rows)


def message_table(results):
    peer = peer_value(results, "messages_per_s")
    rows = []
    for name, r in results:
        if "error" in r:
            rows.append(failed(name, r, 7))
            continue
        p50, p99 = (r[k if k in r else k[4:]] for k in ("ack_p50_ms", "ack_p99_ms"))
        rows.append([name, f"{r['messages_per_s']:,.0f}", ratio(r["messages_per_s"], peer, True),
                     f"{p50:.1f}", f"{p99:.1f}", f"{r['cpu_ms_per_message']:.3f}",
                     r["faults"] or "none"])
    return table(["", "messages/s", "it ÷ socket.io", "p50 ms", "p99 ms", "CPU ms each",
                  "faults"], rows)


def page(sections, options, seconds, load):
    """The whole page; sections are (title, text, kind, results), load is what else kept the
    machine busy when it began (load average of one minute)."""
    tables = {"idle": idle_table, "fanout": fanout_table, "chat": message_table,
              "rest": message_table}
    parts = [
        "# Results of `make bench`",
        f"Written by `bench/run` on {datetime.date.today().isoformat()} in {seconds:.0f} s.\n\n"
        f"- Machine: {machine()}; load average {load:.1f} before the first measurement\n"
        f"- Versions: {versions()}\n"
        f"- Settings: worker_connections {WORKER_CONNECTIONS}, access log off, error log warn, "
        "default threads, rate limit off; messages of 100 characters. Servers take turns, each "
        f"measurement on a fresh server; of {options.rounds} rounds of {options.seconds} s the "
        "median by CPU (fan-out) or messages/s stands. Load generator and server share the "
        "machine's cores.\n"
        "- socket.io alone is one Node process that verifies the same tokens, sends the same "
        "message fields, and keeps nothing; ours stores every message, durable before the "
        "acknowledgement: in SQLite where MongoDB is not named. With mongoose and Redis it keeps "
        "them in the same MongoDB, a replica set of one, as chat backends do (peers/stack.js), "
        "and sends by @socket.io/redis-adapter. nchan has no tokens and no Socket.IO, and sends the bare text. "
        "`bare send()` is a loop in C that sends 640 bytes to everyone, about our message with "
        "its frame: what the kernel alone costs.\n"
        "- Memory is PSS of all processes. *each*: growth by connection; *all in*: everything "
        "there is, by connection. CPU is user and system time of all processes. A *fault* is a "
        "message lost, duplicated, out of order or refused: each delivery is checked.",
    ]
    for title, text, kind, results in sections:
        parts.append(f"## {title}\n{text}\n\n{tables[kind](results)}")
    return "\n\n".join(parts) + "\n"
