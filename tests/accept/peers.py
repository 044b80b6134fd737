# SPDX-License-Identifier: Apache-2.0
"""lb between programs of others: peers.py [NAME...]

Origins: nginx, Node.js, the websockets library. Clients: curl, ab, wrk, h2load, the websockets library. What is not
installed is skipped and said so.
"""
import hashlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time

from lbtest import HERE, Http, IS_SANITIZED, Lb, Process, accepts, folder, free_port, main, wait_for

DEFAULTS = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1m
"""
MB = 1 << 20
BIG = (8 if IS_SANITIZED else 40) * MB
NOISE = os.urandom(MB)


class Missing(Exception):
    pass


def need(program):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Missing(program)
    return path


def config(port, *origins, more=""):
    servers = "".join("  server s%d 127.0.0.1:%d\n" % (i, o) for i, o in enumerate(origins))
    return DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n%s  default_backend b\nbackend b\n%s" % (port, more, servers)


def nginx():
    """Files of known content, uploads by PUT, from nginx. Its port and folder."""
    program, root, port = need("nginx"), folder(), free_port()
    os.chmod(root, 0o755)
    os.mkdir(root + "/files", 0o777)
    os.chmod(root + "/files", 0o777)
    for name, size in (("empty", 0), ("small", 100), ("page", 16384), ("big", BIG)):
        with open("%s/files/%s" % (root, name), "wb") as f:
            f.write((NOISE * (size // MB + 1))[:size])
        os.chmod("%s/files/%s" % (root, name), 0o644)
    with open(root + "/nginx.conf", "w") as f:
        f.write("""daemon off; master_process off; pid {r}/pid; error_log {r}/error.log warn;
events {{ worker_connections 1000; }}
http {{ access_log off; client_body_temp_path {r}/body; proxy_temp_path {r}/p; fastcgi_temp_path {r}/f;
  uwsgi_temp_path {r}/u; scgi_temp_path {r}/s; client_max_body_size 0; keepalive_requests 100; keepalive_timeout 1s;
  server {{ listen 127.0.0.1:{p} backlog=1024; root {r}/files;
    location / {{ dav_methods PUT; create_full_put_path on; }} }} }}
""".format(r=root, p=port))
    process = Process([program, "-p", root, "-c", root + "/nginx.conf"])
    wait_for(lambda: accepts(port) or not process.is_running(), "nginx accepts")
    assert process.is_running(), process.output()
    return port, root + "/files"


def node():
    port = free_port()
    Process([need("node"), os.path.join(HERE, "origin.js"), str(port)])
    wait_for(lambda: accepts(port), "node accepts")
    return port


def curl(*args, data=None, status=0):
    got = subprocess.run([need("curl"), "-sS", "--max-time", "60"] + list(args), input=data, capture_output=True)
    assert got.returncode == status, "curl %s: %d %s" % (args, got.returncode, got.stderr)
    return got.stdout


def together(*jobs):
    errors = []

    def run(job):
        try:
            job()
        except Exception as e:  # pylint: disable=broad-except
            errors.append(repr(e))

    threads = [threading.Thread(target=run, args=(j,)) for j in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def sha(data):
    return hashlib.sha256(data).hexdigest()


def nginx_curl():
    """Downloads and uploads, by length and in chunks, of files up to 40 MB; ranges, HEAD, HTTP/1.0, slow readers."""
    origin, files = nginx()
    port = free_port()
    lb = Lb(config(port, origin))
    url = "http://127.0.0.1:%d/" % port
    big = (NOISE * (BIG // MB))[:BIG]
    for name, wanted in (("empty", b""), ("small", NOISE[:100]), ("page", NOISE[:16384]), ("big", big)):
        for more in ([], ["-0"], ["-H", "Connection: close"]):
            assert curl(url + name, *more) == wanted, (name, more)
        head = curl("-I", url + name).decode()
        assert re.search(r"(?i)^content-length: %d\r$" % len(wanted), head, re.M), head
    assert curl("-r", "1000-1999999", url + "big") == big[1000:2000000]
    assert curl("-o", "/dev/null", "-w", "%{http_code}", url + "none") == b"404"

    def slow():
        assert curl("--limit-rate", "4M" if IS_SANITIZED else "20M", url + "big") == big

    def put(name, *more):
        data = big[:BIG // 2]
        code = curl("-T", "-", "-o", "/dev/null", "-w", "%{http_code}", url + name, *more, data=data)
        assert code in (b"201", b"204"), code
        with open(files + "/" + name, "rb") as f:
            assert f.read() == data, "what arrived at nginx differs"

    path = os.path.join(folder(), "upload")
    with open(path, "wb") as f:
        f.write(big)

    def put_file():
        code = curl("-T", path, "-o", "/dev/null", "-w", "%{http_code}", url + "whole")
        assert code in (b"201", b"204"), code
        with open(files + "/whole", "rb") as f:
            assert f.read() == big

    together(slow, slow, lambda: put("chunked"), lambda: put("slowly", "--limit-rate", "8M"), put_file)
    codes = curl("-w", "%{http_code} ", *("-o", "/dev/null", url + "page") * 20)
    assert codes == b"200 " * 20, codes
    lb.finish()


def node_curl():
    """The same with Node.js, and: it reads late, answers early, answers slowly."""
    origin, port = node(), free_port()
    lb = Lb(config(port, origin))
    url = "http://127.0.0.1:%d/" % port
    for kind in ("bytes", "chunked"):
        for n in (0, 1, 16384, 65001, BIG):
            head = os.path.join(folder(), "head")
            got = curl("-D", head, "%s%s/%d" % (url, kind, n))
            with open(head) as f:
                wanted = re.search(r"(?i)^x-sha256: (\w+)", f.read(), re.M).group(1)
            assert len(got) == n and sha(got) == wanted, (kind, n, len(got))
    data = (NOISE * (BIG // MB))[:BIG]
    wanted = ("%d %s" % (len(data), sha(data))).encode()
    together(lambda: eq(curl("--data-binary", "@-", url, data=data), wanted),
             lambda: eq(curl("-T", "-", url, data=data), wanted),
             lambda: eq(curl("-T", "-", "-H", "Expect: 100-continue", url, data=data), wanted),
             lambda: eq(curl("-T", "-", "-H", "Expect:", url + "late", data=data), wanted),
             lambda: eq(curl("-0", "--data-binary", "@-", url, data=data), wanted),
             lambda: eq(len(curl(url + "slow/1000000")), 1000000))
    code = curl("-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", "-H", "Expect:", url + "early",
                data=data[:MB])
    assert code == b"413", code
    assert curl(url + "x") == b"node /x"
    lb.finish()


def eq(got, wanted):
    assert got == wanted, (got[:100] if isinstance(got, bytes) else got, wanted)


def aborts():
    """Clients that go away in the middle of downloads and uploads leave nothing behind."""
    origin, port = node(), free_port()
    lb = Lb(config(port, origin))
    fds = len(os.listdir("/proc/%d/fd" % lb.pid))

    def client(i):
        for n in range(15):
            c = Http(port)
            if (i + n) % 3 == 0:
                c.send("GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n" % BIG)
                c.take(1 + n * 50000)
            elif (i + n) % 3 == 1:
                c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG)
                c.send(NOISE[:n * 30000])
            else:
                c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\nshort")
            if n % 2:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c.close()

    together(*[lambda i=i: client(i) for i in range(8)])
    assert curl("http://127.0.0.1:%d/x" % port) == b"node /x"
    wait_for(lambda: lb.info("CurrConns") == "0" and lb.stat()["b", "BACKEND"]["scur"] == "0",
             "the connections have ended")
    wait_for(lambda: len(os.listdir("/proc/%d/fd" % lb.pid)) <= fds + 4, "descriptors are closed", 20)
    assert lb.ask("show sess").strip() == "", lb.ask("show sess")
    lb.finish()


def load():
    """ab, wrk and h2load find nothing wrong."""
    origin, _ = nginx()
    port = free_port()
    lb = Lb(config(port, origin))
    url = "http://127.0.0.1:%d/page" % port
    n = "1000" if IS_SANITIZED else "4000"
    for more in ([], ["-k"]):
        out = subprocess.run([need("ab"), "-q", "-n", n, "-c", "20"] + more + [url], capture_output=True, text=True).stdout
        assert "Complete requests:      %s\n" % n in out and "Failed requests:        0\n" in out, out
        assert "Non-2xx" not in out, out
    out = subprocess.run([need("wrk"), "-t1", "-c20", "-d2s", url], capture_output=True, text=True).stdout
    assert "requests in" in out and "Non-2xx" not in out and "Socket errors" not in out, out
    print(re.search(r"Requests/sec:.*", out).group(0))
    out = subprocess.run([need("h2load"), "--h1", "-n", n, "-c", "20", url], capture_output=True, text=True).stdout
    assert "%s succeeded, 0 failed" % n in out, out
    stat = lb.stat()["f", "FRONTEND"]
    assert stat["hrsp_5xx"] == "0" and stat["hrsp_4xx"] == stat["ereq"], stat  # some connect and say nothing
    lb.finish()


WEBSOCKETS = """
import asyncio, os, sys, websockets
front, back = int(sys.argv[1]), int(sys.argv[2])
async def echo(ws, path=None):
    async for m in ws:
        await ws.send(m)
async def client(i):
    async with websockets.connect("ws://127.0.0.1:%d/chat/%d" % (front, i), max_size=None) as ws:
        for n in (0, 1, 125, 126, 65535, 65536, 1000000):
            m = os.urandom(n)
            await ws.send(m)
            assert await ws.recv() == m
            await (await ws.ping())
        await ws.send("text")
        assert await ws.recv() == "text"
async def main():
    async with websockets.serve(echo, "127.0.0.1", back, max_size=None):
        await asyncio.gather(*[client(i) for i in range(20)])
asyncio.run(main())
print("echoed")
"""


def websockets():
    """Twenty WebSockets by the websockets library, with its compression, up to a megabyte a message."""
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import websockets"], capture_output=True).returncode:
        raise Missing("python3-websockets")
    port, back = free_port(), free_port()
    lb = Lb(config(port, back))
    got = subprocess.run([python, "-c", WEBSOCKETS, str(port), str(back)], capture_output=True, text=True, timeout=120)
    assert "echoed" in got.stdout, got.stderr
    lb.finish()


def spliced():
    """The same bytes with splicing on, HTTP and TCP, in both directions."""
    origin, port, tcp = node(), free_port(), free_port()
    lb = Lb(config(port, origin, more="  option splice-auto\n") +
            "listen t\n  mode tcp\n  bind 127.0.0.1:%d\n  option splice-request\n  option splice-response\n"
            "  server s 127.0.0.1:%d\n" % (tcp, origin))
    data = (NOISE * (BIG // MB))[:BIG]
    wanted = ("%d %s" % (len(data), sha(data))).encode()
    for p in (port, tcp):
        url = "http://127.0.0.1:%d/" % p
        together(*[lambda url=url: eq(curl("--data-binary", "@-", url, data=data), wanted),
                   lambda url=url: eq(len(curl(url + "bytes/%d" % BIG)), BIG),
                   lambda url=url: eq(len(curl("--limit-rate", "20M", url + "bytes/%d" % BIG)), BIG),
                   lambda url=url: eq(len(curl(url + "chunked/%d" % BIG)), BIG)])
        head = os.path.join(folder(), "head")
        got = curl("-D", head, url + "bytes/%d" % (BIG + 7))
        with open(head) as f:
            assert sha(got) in f.read(), "the content differs"
    assert int(lb.info("TotalSplicedBytesOut")) > BIG
    lb.finish()


def memory():
    """Slow readers and writers cost a bounded amount of memory."""
    origin, port = node(), free_port()
    lb = Lb(config(port, origin))
    clients = []
    for i in range(40):
        c = Http(port)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if i % 2:
            c.send("GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (100 * MB))
        else:
            c.send("POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (100 * MB))
            c.sock.settimeout(0.2)
            try:
                for _ in range(30):
                    c.sock.sendall(NOISE)
            except OSError:
                pass
        clients.append(c)
    time.sleep(1)
    before = lb.cpu_seconds()
    time.sleep(1)
    used = lb.cpu_seconds() - before
    with open("/proc/%d/status" % lb.pid) as f:
        rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) // 1024
    print("%d MB for 40 stuck transfers, %.2f s of CPU in a second" % (rss, used))
    assert IS_SANITIZED or rss < 60, "%d MB" % rss
    assert used < 0.5, "it spins: %.2f s" % used
    for c in clients:
        c.close()
    lb.finish()


def skipping(fn):
    def run():
        try:
            fn()
        except Missing as e:
            print("%s: skipped, %s is not installed" % (fn.__name__, e))
    return run


if __name__ == "__main__":
    main({f.__name__: skipping(f) for f in
          (nginx_curl, node_curl, aborts, load, websockets, spliced, memory)})
