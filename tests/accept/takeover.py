# SPDX-License-Identifier: Apache-2.0
"""A new process takes over from an old one: takeover.py [NAME...]"""
import array
import os
import socket
import struct
import threading

from lbtest import PROGRAM, Lb, Process, accepts, folder, free_port, get, main, wait_for

RULES = """
defaults
  mode http
  timeout client 10s
frontend f
  http-request return status 200 content-type text/plain string "$WHO"
%s
"""


def ask_unix(path):
    """What answers on a unix socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        out = b""
        while True:
            got = s.recv(4096)
            if not got:
                return out.split(b"\r\n\r\n", 1)[1].decode()
            out += got


def start(binds, who, expose=True, args=(), wait=True, more=""):
    """lb with an exposing socket (the old one) or none that matters."""
    place = folder()
    give = os.path.join(place, "give.sock")
    extra = "  stats socket %s level user%s\n  setenv WHO %s\n%s" % (
        give, " expose-fd listeners" if expose else "", who, more)
    lb = Lb(RULES % binds, extra_global=extra, args=args, wait=wait)
    lb.give = give
    return lb


def getsocks(path):
    """(how many are announced, how many descriptors came, the text with them)"""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(b"_getsocks\n")
        count = s.recv(4)
        if not count:
            return None, 0, b""
        wanted, fds, text = struct.unpack("i", count)[0], [], b""
        while len(fds) < wanted:
            data, control, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
            assert data, "the giver stopped"
            text += data
            for _, _, raw in control:
                got = array.array("i")
                got.frombytes(raw[:len(raw) // 4 * 4])
                assert len(got) <= 252
                fds += got
            s.sendall(struct.pack("i", len(fds)))
        assert s.recv(100) == b"", "nothing follows"
        for fd in fds:
            os.close(fd)
        return wanted, len(fds), text


def format():
    """What the old process sends: a count, the descriptors, a text for each; nothing where it is not allowed."""
    port = free_port(300)
    lb = start("  bind 127.0.0.1:%d-%d\n  bind 127.0.0.1:%d interface lo\n" % (port, port + 298, port + 299), "old")
    wanted, n, text = getsocks(lb.give)
    assert wanted == n == 302, (wanted, n)
    assert text.count(b"\0\2lo\0\0\0\0") == 1 and len(text) == 302 * 6 + 2, len(text)
    assert getsocks(lb.socket)[0] is None, "a socket without expose-fd says nothing"
    assert get(port)[2] == b"old"
    lb.finish()


def all_kinds():
    """Sockets of all families move without being bound again, while requests go on; the files of sockets stay."""
    port, place = free_port(3), folder()
    path = os.path.join(place, "f.sock")
    binds = ("  bind 127.0.0.1:%d\n  bind [::1]:%d v6only shards 2\n  bind unix@%s mode 600\n  bind abnsz@%s\n"
             % (port, port + 1, path, path))
    old = start(binds, "old", more="  stats socket 127.0.0.1:%d level admin\n" % (port + 2))
    inode = os.stat(path).st_ino
    failed, done = [], threading.Event()

    def load():
        while not done.is_set():
            try:
                assert get(port)[0] == 200
                ask_unix(path)
            except OSError as e:
                failed.append(e)

    clients = threading.Thread(target=load)
    clients.start()
    new = start(binds, "new", args=["-x", old.give, "-sf", str(old.pid)],
                more="  stats socket 127.0.0.1:%d level admin\n" % (port + 2))
    old.wait()
    old.finish()
    done.set()
    clients.join()
    assert not failed, failed
    assert os.stat(path).st_ino == inode, "it is the same socket"
    assert get(port)[2] == b"new" and get(port + 1, host="::1")[2] == b"new"
    assert ask_unix(path) == "new" and ask_unix("\0" + path) == "new"
    assert accepts(port + 2)
    new.finish()
    assert not os.path.exists(path), "the last one takes it away"


def one_after_the_other():
    """Many take-overs in a row: who has just been let in when a process goes is served by it."""
    port, place = free_port(), folder()
    path = os.path.join(place, "f.sock")
    binds = "  bind 127.0.0.1:%d\n  bind unix@%s mode 600\n" % (port, path)
    old = start(binds, "0")
    failed, done = [], threading.Event()

    def load(ask):
        while not done.is_set():
            try:
                ask()
            except OSError as e:
                failed.append(e)

    clients = [threading.Thread(target=load, args=(ask,)) for ask in (lambda: get(port), lambda: ask_unix(path))]
    for t in clients:
        t.start()
    for i in range(1, 15):
        new = start(binds, str(i), args=["-x", old.give, "-sf", str(old.pid)])
        old.wait()
        old.finish()
        old = new
    done.set()
    for t in clients:
        t.join()
    assert not failed, failed
    old.finish()


def failed_start():
    """A new process that cannot start leaves the old one as it was."""
    port, path = free_port(2), os.path.join(folder(), "f.sock")
    binds = "  bind 127.0.0.1:%d\n  bind unix@%s\n" % (port, path)
    old = start(binds, "old")
    with socket.create_server(("127.0.0.1", port + 1)):
        for more in [[], ["-x", old.give]]:
            new = start(binds + "  bind 127.0.0.1:%d\n" % (port + 1), "new",
                        args=["-sf", str(old.pid)] + more, wait=False)
            assert new.wait() == 1, new.output()
            assert get(port)[2] == b"old" and ask_unix(path) == "old"
    text = old.ask("reload")
    assert "Success=1" in text, text
    assert ask_unix(path) == "old"
    old.finish()


def replaced_file():
    """With -sf alone the file of a unix socket is replaced, and the old process leaves the new one there."""
    port, path = free_port(2), os.path.join(folder(), "f.sock")
    binds = "  bind 127.0.0.1:%d\n  bind unix@%s\n" % (port, path)
    stats = "  stats socket 127.0.0.1:%d level admin\n" % (port + 1)
    old = start(binds, "old", more=stats)
    new = start(binds, "new", args=["-sf", str(old.pid)], more=stats)
    old.wait()
    old.finish()
    assert ask_unix(path) == "new" and get(port)[2] == b"new" and accepts(port + 1)
    new.finish()


def bad_giver():
    """An old process that sends nonsense, or stops in the middle, ends the start with a reason."""
    place = folder()
    path = os.path.join(place, "old.sock")
    listening = socket.create_server(("127.0.0.1", free_port()))
    config = os.path.join(place, "a.cfg")
    with open(config, "w") as f:
        f.write(RULES % "  bind unix@%s/f.sock\n" % place)

    def refused(count, messages, why):
        """@messages: (text, how many descriptors)"""
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            new = Process([PROGRAM, "-db", "-f", config, "-x", "unix@" + path])
            peer, _ = s.accept()
            with peer:
                assert peer.recv(100) == b"_getsocks\n"
                peer.sendall(count)
                for text, n in messages:
                    socket.send_fds(peer, [text], [listening.fileno()] * n)
            assert new.wait() == 1 and why in new.output(), new.output()
        os.unlink(path)

    refused(b"", [], "it gives no sockets")
    refused(b"\1\0", [], "it gives no sockets")
    refused(struct.pack("i", -1), [], "it gives no sockets")
    refused(b"Perm", [], "it gives no sockets")
    refused(struct.pack("i", 2), [(b"\0\0\0\0\0\0", 1)], "it did not send all of its sockets")
    refused(struct.pack("i", 1), [(b"\0\0\0\0\0\0", 2)], "it sent other sockets than it announced")
    refused(struct.pack("i", 1), [(b"\0\x09lo", 1)], "it did not send all of its sockets")
    new = Process([PROGRAM, "-db", "-f", config, "-x", path])
    assert new.wait() == 1 and "cannot connect: No such file" in new.output(), new.output()
    new = Process([PROGRAM, "-db", "-f", config, "-x", "/dev/null"])
    wait_for(lambda: os.path.exists(place + "/f.sock"), "it starts")
    new.kill()


if __name__ == "__main__":
    main({f.__name__: f for f in (format, all_kinds, one_after_the_other, failed_start, replaced_file, bad_giver)})
