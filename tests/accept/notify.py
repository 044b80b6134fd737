# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told: notify.py [NAME...]"""
import os
import re
import socket

from lbtest import Lb, folder, main, wait_for

CONFIG = """
defaults
  mode http
  timeout client 10s
frontend f
  bind unix@%s/f.sock
"""


class Manager:
    def __init__(self):
        self.path = os.path.join(folder(), "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(20)
        self.env = dict(os.environ, NOTIFY_SOCKET=self.path)

    def next(self):
        """The next message that is no sign of life."""
        while True:
            text = self.sock.recv(4096).decode()
            if not text.startswith("WATCHDOG") and not text.startswith("EXTEND"):
                return text


def states():
    """Ready with its pid, reloads with their end and time, the stop."""
    manager, place = Manager(), folder()
    config = CONFIG % place
    lb = Lb(config, args=["-Ws"], env=manager.env)
    assert manager.next() == "READY=1\nMAINPID=%d\nSTATUS=Ready." % lb.pid
    lb.signal("SIGUSR2")
    text = manager.next()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d{6,}\nSTATUS=Reloading\.", text), text
    assert manager.next() == "READY=1\nSTATUS=Ready."
    lb.write(config + "nonsense\n")
    assert "Success=0" in lb.ask("reload")
    assert manager.next().startswith("RELOADING=1\n")
    assert manager.next() == "READY=1\nSTATUS=Reload failed!"
    lb.finish()
    assert manager.next().startswith("STOPPING=1\n")


def frozen_manager():
    """A manager that does not read stops nothing; when it reads, it is told what it has missed."""
    manager, place = Manager(), folder()
    manager.env["WATCHDOG_USEC"] = "20000"
    lb = Lb(CONFIG % place, args=["-Ws"], env=manager.env)
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.setblocking(False)
    full.connect(manager.path)

    def fill():
        try:
            full.send(b"WATCHDOG=x")
        except BlockingIOError:
            return True

    wait_for(fill, "the queue is full")
    for _ in range(3):
        assert "Success=1" in lb.ask("reload")
    lb.signal("SIGUSR2")
    assert manager.next().startswith("READY=1\nMAINPID=")
    for _ in range(4):
        assert manager.next().startswith("RELOADING=1\n")
        assert manager.next() == "READY=1\nSTATUS=Ready."
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (states, frozen_manager)})
