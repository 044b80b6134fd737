# SPDX-License-Identifier: Apache-2.0
"""The headers of a connection's first packet: 'tcp-ss', fc_saved_syn, and what the converters read in them.

The client knows what it sent: its addresses and ports, and the segment size and TTL that it asked its kernel for.
"""
import socket

from lbtest import Lb, free_port, main


def packet(port, family, host, ttl):
    """The packet as lb gives it to this client, and the client's port."""
    with socket.socket(family) as s:
        level, option = (socket.IPPROTO_IP, socket.IP_TTL) if family == socket.AF_INET else \
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        s.setsockopt(level, option, ttl)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1111)
        s.settimeout(20)
        s.connect((host, port))
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        reply = b""
        while b"\r\n\r\n" not in reply:
            part = s.recv(65536)
            assert part, reply
            reply += part
        return dict(line.split(": ", 1) for line in reply.decode().split("\r\n")[1:] if ": " in line), s.getsockname()[1]


CONFIG = """
defaults
	mode http
	timeout client 20s
frontend f
{binds}	bind 127.0.0.1:{none}
	http-request set-var(sess.all) fc_saved_syn
	http-request set-var(txn.ip) fc_saved_syn,eth.data if {{ dst_port {frame} }}
	http-request set-var(txn.ip) fc_saved_syn unless {{ dst_port {frame} }}
	http-request set-var(txn.tcp) var(txn.ip),ip.data
	http-request return status 200 hdr src "%[var(txn.ip),ip.src]" hdr dst "%[var(txn.ip),ip.dst]" hdr ttl "%[var(txn.ip),ip.ttl]" hdr sport "%[var(txn.tcp),tcp.src]" hdr dport "%[var(txn.tcp),tcp.dst]" hdr mss "%[var(txn.tcp),tcp.options.mss]" hdr flags "%[var(txn.tcp),tcp.flags]" hdr eth "%[fc_saved_syn,eth.proto]" hdr fp "%[var(txn.ip),ip.fp,hex]" hdr twice "%[fc_saved_syn,secure_memcmp(sess.all)]"
"""


def sockets(first):
    """(port, family, address) of the sockets that lb saves packets of; IPv6 where the machine has it."""
    kinds = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.1")]
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        kinds.append((socket.AF_INET6, "::1"))
    except OSError:
        pass
    return [(port, *kind) for port, kind in enumerate(kinds, first)]


def saved_syn():
    """Each kind of socket gives the packet that the client sent; without the option there is none."""
    none = free_port(4)
    found = sockets(none + 1)
    frame = found[1][0]
    binds = "".join("\tbind %s:%d tcp-ss %d\n" % ("[::1]" if ":" in host else host, port, 2 if port == frame else 1)
                    for port, _, host in found)
    lb = Lb(CONFIG.format(binds=binds, none=none, frame=frame))
    for port, family, host in found:
        got, own_port = packet(port, family, host, 99)
        want = {"src": host, "dst": host, "ttl": "99", "sport": str(own_port), "dport": str(port), "mss": "1111"}
        assert {k: got.get(k) for k in want} == want, got
        assert int(got["flags"]) & 0x3f == 2, got
        assert got["fp"].endswith("0457"), got
        assert int(got["fp"][2:4], 16) >> 7 == (family == socket.AF_INET6), got
        assert got["twice"] == "1", got
        if port == frame:
            assert got["eth"] == "2048", got
    got, _ = packet(none, socket.AF_INET, "127.0.0.1", 64)
    assert got.get("src", "") == "" and got.get("twice", "") == "", got
    lb.finish()


def reloaded():
    """The option comes and goes with reloads, on a socket that stays open."""
    port = free_port()
    rest = CONFIG.format(binds="", none=port, frame=0)
    plain = "bind 127.0.0.1:%d\n" % port
    saving = "bind 127.0.0.1:%d tcp-ss 1\n" % port
    lb = Lb(rest)
    for bind, is_there in ((saving, True), (plain, False), (saving, True)):
        lb.write(rest.replace(plain, bind))
        assert "Success=1" in lb.ask("reload")
        got, _ = packet(port, socket.AF_INET, "127.0.0.1", 77)
        assert got.get("ttl", "") == ("77" if is_there else ""), (bind, got)
    lb.finish()


main({"saved_syn": saved_syn, "reloaded": reloaded})
