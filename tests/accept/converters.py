# SPDX-License-Identifier: Apache-2.0
"""Converters against results computed here: converters.py FAMILY...

Each converter gets the body of a request, random ones with edges among them, and its value comes back in hexadecimal. What it
should be is computed by Python's libraries, or written down from the RFC or the manual.
"""
import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import random
import re
import urllib.parse
import zlib
import zoneinfo

from lbtest import Http, Lb, free_port, main

NONE = None
INT_MIN, INT_MAX = -2**63, 2**63 - 1
ZONE = "America/New_York"
SEED = 20260101


def config(port, exprs):
    """A rule for each expression; those that start with '.' take the body."""
    lines = ["defaults", "\tmode http", "\ttimeout client 60s", "frontend f", "\tbind 127.0.0.1:%d" % port,
             "\toption http-buffer-request", "\thttp-request set-var(txn.seven) int(7)",
             "\thttp-request set-var(txn.text) str(a.b)", "\thttp-request set-var(txn.in) req.body",
             "\thttp-request set-var(txn.key) str(Zm9v)"]
    for i, e in enumerate(exprs):
        lines.append("\thttp-request set-var(txn.out) '%s' if { path /%d }" % ("req.body," + e[1:] if e[0] == "." else e, i))
    lines.append("\thttp-request return status 200 content-type text/plain lf-string %[var(txn.out),hex] if "
                 "{ var(txn.out) -m found }")
    lines.append("\thttp-request return status 200 content-type text/plain string none")
    return "\n".join(lines) + "\n"


def ask(client, i, body):
    client.send(b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (i, len(body)) + body)
    status, fields = client.head()
    text = client.body(fields).decode()
    assert status == 200, (i, body, status, text)
    return NONE if text == "none" else bytes.fromhex(text)


def as_bytes(value):
    """What lb makes of a value of that type: integers are eight bytes."""
    if isinstance(value, bool) or isinstance(value, int):
        return (value & (2**64 - 1)).to_bytes(8, "big")
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return value.packed
    return value


def check(cases, inputs):
    """cases: (expression, function of the body); inputs: bodies."""
    port = free_port()
    lb = Lb(config(port, [e for e, _ in cases]), env=dict(os.environ, TZ=ZONE))
    with Http(port, timeout=60) as client:
        for i, (expr, function) in enumerate(cases):
            for body in inputs:
                want, got = as_bytes(function(body)), ask(client, i, body)
                assert got == want, "%s of %r: got %r, expected %r" % (expr, body[:200], got, want)
    lb.finish()


def texts(r, n=30, alphabet="abcXYZ019_-./:=&%+ ,;?[]é\"\\~\t\r\n"):
    fixed = [b"", b"a", b"/", b"%", b"a_b_c", b"__a__b__", b"=", b"a=1&b=2&c", b"\xff\x80"]
    return fixed + ["".join(r.choice(alphabet) for _ in range(r.randrange(40))).encode() for _ in range(n)]


def blobs(r, n=20):
    return [b"", b"\0", b"\xff" * 9, r.randbytes(5000)] + [r.randbytes(r.randrange(60)) for _ in range(n)]


# --- texts ---

def field(body, index, count=1, delims=b"_"):
    parts = re.split(b"[" + re.escape(delims) + b"]", body)
    seps = re.findall(b"[" + re.escape(delims) + b"]", body)
    n = len(parts)
    if abs(index) > n:
        return NONE
    if index > 0:
        first, last = index - 1, n if count == 0 else min(n, index - 1 + count)
    else:
        last, first = n + index + 1, 0 if count == 0 else max(0, n + index + 1 - count)
    out = parts[first]
    for k in range(first + 1, last):
        out += seps[k - 1] + parts[k]
    return out


def word(body, index, count=1, delims=b"_"):
    spans = [m.span() for m in re.finditer(b"[^" + re.escape(delims) + b"]+", body)]
    n = len(spans)
    if abs(index) > n:
        return b""
    if index > 0:
        last = index - 1 + count
        return body[spans[index - 1][0]:len(body) if count == 0 or last > n else spans[last - 1][1]]
    first = n + index + 1 - count
    return body[0 if count == 0 or first < 0 else spans[first][0]:spans[n + index][1]]


def cut(body):
    return re.split(rb"[\r\n]", body)[0]


def param(body, name, delims=b"&"):
    for part in re.split(b"[" + re.escape(delims) + b"]", body):
        if part == name:
            return b""
        if part.startswith(name + b"="):
            return part[len(name) + 1:]
    return NONE


def regsub(pattern, to, count):
    return lambda b: re.sub(pattern, to, b, count=count, flags=re.I if count == 2**20 else 0)


def texts_family():
    """Cases, parts, joins, substitutions."""
    r = random.Random(SEED)
    check([
        (".lower", lambda b: b.lower()), (".upper", lambda b: b.upper()), (".length", len),
        (".reverse", lambda b: b[::-1]), (".reverse_dom", lambda b: b".".join(b.split(b".")[::-1])),
        (".field(2,_)", lambda b: field(b, 2)), (".field(2,_,0)", lambda b: field(b, 2, 0)),
        (".field(-1,_,2)", lambda b: field(b, -1, 2)), ('.field(3,"/.:",2)', lambda b: field(b, 3, 2, b"/.:")),
        (".field(-2,_,0)", lambda b: field(b, -2, 0)), (".word(2,_)", lambda b: word(b, 2)),
        (".word(1,_,0)", lambda b: word(b, 1, 0)), (".word(-1,_,2)", lambda b: word(b, -1, 2)),
        ('.word(2,"/.:",2)', lambda b: word(b, 2, 2, b"/.:")), (".word(-2,_,0)", lambda b: word(b, -2, 0)),
        (".bytes(2)", lambda b: b[2:]), (".bytes(1,3)", lambda b: b[1:4]), (".bytes(txn.seven,txn.seven)", lambda b: b[7:14]),
        (".bytes(0,0)", lambda b: b""), ('.ltrim("a_/")', lambda b: b.lstrip(b"a_/")), ('.rtrim("a_/")', lambda b: b.rstrip(b"a_/")),
        (".cut_crlf", cut), (".concat(<,txn.text,>)", lambda b: b + b"<a.b>"), (".concat(<,txn.none,>)", lambda b: b + b"<>"),
        (".concat(,txn.seven)", lambda b: b + b"7"), (".add_item(;,txn.text)", lambda b: b + (b";" if b else b"") + b"a.b"),
        (".add_item(;,txn.none)", lambda b: b), (".add_item(;,,z)", lambda b: b + (b";" if b else b"") + b"z"),
        (".param(a)", lambda b: param(b, b"a")), ('.param(b,"&;")', lambda b: param(b, b"b", b"&;")),
        (".regsub([0-9]+,N)", regsub(rb"[0-9]+", b"N", 1)), (".regsub([a-c],-,g)", regsub(rb"[a-c]", b"-", 0)),
        (".regsub([a-z],-,gi)", regsub(rb"[a-z]", b"-", 2**20)),
        (".strcmp(txn.in)", lambda b: 0), (".secure_memcmp(txn.in)", lambda b: True),
        (".secure_memcmp(txn.text)", lambda b: b == b"a.b"),
        (".concat(x),strcmp(txn.in)", lambda b: 1), (".has_ctl", lambda b: bool(re.search(rb"[\0-\x1f\x7f]", b))),
        ('.has_ctl("\\r\\n")', lambda b: bool(re.search(rb"[\0-\x09\x0b\x0c\x0e-\x1f\x7f]", b))),
    ], texts(r))


# --- encodings ---

def decode64(body, alphabet, strict):
    text = body.rstrip(b"=") if len(body) - len(body.rstrip(b"=")) <= 2 else body
    if (strict and len(body) % 4) or len(text) % 4 == 1 or re.search(b"[^" + alphabet + b"]", text):
        return NONE
    return base64.b64decode(text + b"=" * (-len(text) % 4), b"-_" if b"_" in alphabet else None)


def url_dec(body, plus):
    if re.search(rb"%(?![0-9a-fA-F]{2})", body):
        return NONE
    path, mark, query = body.partition(b"?")
    path, query = (part.replace(b"+", b" ") if is_form else part for part, is_form in ((path, plus), (query, True)))
    return urllib.parse.unquote_to_bytes(path + mark + query).split(b"\0")[0]


def chunks(body, size, separator, order, whole):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    if whole and parts and len(parts[-1]) < size:
        parts.pop()
    if order == "hex":
        return separator.join(p.hex().upper() for p in parts)
    return separator.join(str(int.from_bytes(p, order)) for p in parts)


def json_text(body, encoding):
    """As json.dumps, but '/' is escaped, DEL too, and nothing beyond four digits exists."""
    text = body.decode(encoding, "replace")
    if "�" in text or any(ord(c) > 0xffff for c in text):
        return NONE
    return json.dumps(text)[1:-1].replace("/", "\\/").replace("\x7f", "\\u007f")


def codes_family():
    """Encodings, both ways."""
    r = random.Random(SEED)
    plain, url = rb"A-Za-z0-9+/", rb"A-Za-z0-9_\-"
    check([
        (".hex", lambda b: b.hex().upper()), (".base64", base64.b64encode),
        (".ub64enc", lambda b: base64.urlsafe_b64encode(b).rstrip(b"=")), (".base2", lambda b: "".join(f"{c:08b}" for c in b)),
        (".be2dec(:,2)", lambda b: chunks(b, 2, ":", "big", False)), (".be2dec(,8,1)", lambda b: chunks(b, 8, "", "big", True)),
        (".le2dec(-,3)", lambda b: chunks(b, 3, "-", "little", False)), (".le2dec(-,3,1)", lambda b: chunks(b, 3, "-", "little", True)),
        (".be2hex(:,4)", lambda b: chunks(b, 4, ":", "hex", False)), (".be2hex(:,4,1)", lambda b: chunks(b, 4, ":", "hex", True)),
        (".be2hex", lambda b: b.hex().upper()), (".base64,b64dec", lambda b: b), (".ub64enc,ub64dec", lambda b: b),
        (".hex,hex2i", lambda b: NONE if re.search("[^0-9a-f]", b.hex()) else
         (int(b.hex() or "0", 16) & (2**64 - 1))),
    ], blobs(r))
    check([
        (".url_enc", lambda b: urllib.parse.quote(b, safe="-._~")), (".url_dec", lambda b: url_dec(b, False)),
        (".url_dec(1)", lambda b: url_dec(b, True)), (".b64dec", lambda b: decode64(b, plain, True)),
        (".ub64dec", lambda b: decode64(b, url, False)), (".json", lambda b: json_text(b, "latin-1")),
        (".json(utf8)", lambda b: json_text(b, "utf-8")), (".url_enc,url_dec", lambda b: b.replace(b"+", b"+")),
    ], texts(r, 60) + [b"YWJj", b"YWI=", b"YQ==", b"Y===", b"_-8", b"a+b?c+d", b"%41%62"])


# --- hashes ---

def crc32c(body):
    value = 0xffffffff
    for byte in body:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def djb2(body):
    value = 5381
    for byte in body:
        value = (value * 33 + byte) & 0xffffffff
    return value


def sdbm(body):
    value = 0
    for byte in body:
        value = (value * 65599 + byte) & 0xffffffff
    return value


def hashes_family():
    """Checksums by their definitions, digests by hashlib."""
    check([
        (".crc32", zlib.crc32), (".crc32c", crc32c), (".djb2", djb2), (".sdbm", sdbm),
        (".sha1", lambda b: hashlib.sha1(b).digest()), (".sha2", lambda b: hashlib.sha256(b).digest()),
        (".sha2(224)", lambda b: hashlib.sha224(b).digest()), (".sha2(384)", lambda b: hashlib.sha384(b).digest()),
        (".sha2(512)", lambda b: hashlib.sha512(b).digest()), (".digest(md5)", lambda b: hashlib.md5(b).digest()),
        (".digest(sha3-256)", lambda b: hashlib.sha3_256(b).digest()),
        (".digest(blake2b512)", lambda b: hashlib.blake2b(b).digest()),
        (".hmac(sha256,Zm9v)", lambda b: hmac.digest(b"foo", b, "sha256")),
        (".hmac(sha512,txn.key)", lambda b: hmac.digest(b"foo", b, "sha512")),
        (".hmac(md5,txn.key)", lambda b: hmac.digest(b"foo", b, "md5")),
    ], blobs(random.Random(SEED)))


# --- numbers ---

def number(body):
    """The digits that a text begins with; nothing is no number."""
    if not body:
        return NONE
    text = re.match(rb"[-+]?[0-9]*", body).group()
    return saturate(int(text)) if re.search(rb"[0-9]", text) else 0


def saturate(v):
    return max(INT_MIN, min(INT_MAX, v))


def on(function):
    return lambda b: NONE if number(b) is NONE else function(number(b))


def divide(a, b):
    if b == 0:
        return INT_MAX
    return saturate(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


def remainder(a, b):
    return 0 if b == 0 else abs(a) % abs(b) * (-1 if a < 0 else 1)


def numbers_family():
    """Arithmetic that saturates, on numbers and on variables; bits; truths."""
    r = random.Random(SEED)
    values = [0, 1, -1, 7, -7, 8, 255, 2**31, 2**32, 2**62, INT_MAX, INT_MIN, INT_MAX - 1, INT_MIN + 1]
    inputs = [str(v).encode() for v in values + [r.randrange(INT_MIN, INT_MAX) for _ in range(20)]]
    inputs += [b"", b"x", b"12x", b"+12", b"--1", b" 1", b"007", b"99999999999999999999", b"-99999999999999999999", b"0x10", b"1e3"]
    cases = [(".neg", on(lambda v: saturate(-v))), (".cpl", on(lambda v: ~v)), (".bool", on(bool)), (".not", on(lambda v: not v)),
             (".odd", on(lambda v: bool(v & 1))), (".even", on(lambda v: not v & 1)), (".iif(yes,no)", on(lambda v: "yes" if v else "no")),
             (".htonl", on(lambda v: (v & 0xffffffff).to_bytes(4, "big"))), (".add(txn.none)", lambda b: NONE)]
    for arg, v in (("0", 0), ("1", 1), ("-1", -1), ("txn.seven", 7), ("-7", -7), (str(INT_MAX), INT_MAX), (str(INT_MIN), INT_MIN)):
        cases += [(".add(%s)" % arg, on(lambda a, v=v: saturate(a + v))), (".sub(%s)" % arg, on(lambda a, v=v: saturate(a - v))),
                  (".mul(%s)" % arg, on(lambda a, v=v: saturate(a * v))), (".div(%s)" % arg, on(lambda a, v=v: divide(a, v))),
                  (".mod(%s)" % arg, on(lambda a, v=v: remainder(a, v))), (".and(%s)" % arg, on(lambda a, v=v: a & v)),
                  (".or(%s)" % arg, on(lambda a, v=v: a | v)), (".xor(%s)" % arg, on(lambda a, v=v: a ^ v))]
    check([(".concat()," + e[1:], f) for e, f in cases], inputs)


# --- dates ---

def moment(v, zone):
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=v)).astimezone(zone)


def dated(form, zone, per_second=1, offset=0, digits=0):
    def function(body):
        v = number(body)
        if v is NONE:
            return NONE
        seconds, rest = divmod(v + offset, per_second)
        fraction = ".%0*d" % (digits, rest * 10**digits // per_second) if digits else ""
        return moment(seconds, zone).strftime(form) + fraction
    return function


def http_date(form, per_second=1, offset=0):
    def function(body):
        v = number(body)
        if v is NONE:
            return NONE
        seconds, rest = divmod(v + offset, per_second)
        t = moment(seconds, datetime.timezone.utc)
        days, months = "Mon Tue Wed Thu Fri Sat Sun".split(), "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        return "%s, %02d %s %04d %s%s GMT" % (days[t.weekday()], t.day, months[t.month - 1], t.year, t.strftime("%H:%M:%S"),
                                              form % rest if form else "")
    return function


def dates_family():
    """Local time with its changes in summer, UTC, fractions, and dates of HTTP both ways."""
    utc, local = datetime.timezone.utc, zoneinfo.ZoneInfo(ZONE)
    r = random.Random(SEED)
    inputs = [b"0", b"1", b"-1", b"951782400", b"1709208000", b"1710053999", b"1710054000", b"1730613600", b"1730617200", b""]
    inputs += [str(r.randrange(-10**9, 4 * 10**9)).encode() for _ in range(20)]
    milli, micro = ([b"0", b"-1"] + [str(r.randrange(-10**9 * unit, 4 * 10**9 * unit)).encode() for _ in range(20)]
                    for unit in (10**3, 10**6))
    form = "%Y-%m-%d %H:%M:%S %j %a %b"
    check([(".concat()," + e, f) for e, f in [
        ('utime("%s")' % form, dated(form, utc)), ('utime("%s",3600)' % form, dated(form, utc, 1, 3600)),
        ('ltime("%s %%z")' % form, dated(form + " %z", local)), ('ltime("%s",-86400)' % form, dated(form, local, 1, -86400)),
        ("http_date", http_date("")), ("http_date(-5)", http_date("", 1, -5)), ("http_date,date", number)]], inputs)
    check([(".concat()," + e, f) for e, f in [
        ('ms_utime("%s.%%3N")' % form, dated(form, utc, 1000, 0, 3)), ("http_date(7,ms)", http_date(".%03d", 1000, 7)),
        ('ms_ltime("%s.%%3N",500)' % form, dated(form, local, 1000, 500, 3))]], milli)
    check([(".concat()," + e, f) for e, f in [
        ('us_utime("%s.%%6N")' % form, dated(form, utc, 10**6, 0, 6)), ('us_ltime("%s.%%6N")' % form, dated(form, local, 10**6, 0, 6)),
        ('us_utime("%s.%%3N")' % form, dated(form, utc, 10**6, 0, 3)), ("http_date(0,us)", http_date(".%06d", 10**6))]], micro)


# --- addresses ---

def address(body):
    text = body.decode()
    four = re.match(r"(\d+)\.(\d+)\.(\d+)\.(\d+)(?!\d|\.)", text)
    try:
        if four and all(int(p) < 256 for p in four.groups()):
            return ipaddress.IPv4Address(bytes(int(p) for p in four.groups()))
        a = ipaddress.IPv6Address(text)
        return a.ipv4_mapped or a
    except ValueError:
        return NONE


def masked(bits4, bits6):
    def function(body):
        a = address(body)
        if a is NONE or (a.version == 6 and bits6 is None):
            return NONE
        bits = bits4 if a.version == 4 else bits6
        return ipaddress.ip_network((a, bits), strict=False).network_address
    return function


def host(body):
    return re.sub(rb":\d*$", b"", body).lower() if not re.fullmatch(rb"\[[^\]]*", body) else body.lower()


def port_of(body):
    m = re.search(rb":(\d+)$", body)
    return int(m.group(1)) if m and not (body.startswith(b"[") and b"]:" not in body) else 0


def addresses_family():
    """Masks on both kinds of addresses, hosts and ports."""
    r = random.Random(SEED)
    inputs = [b"1.2.3.4", b"255.255.255.255", b"0.0.0.0", b"1.2.3.4:80", b"1.2.3.4/8", b"1.2.3.4.5", b"1.2.3", b"256.1.1.1", b"", b"x",
              b"::", b"::1", b"::ffff:9.8.7.6", b"2002:a01:203::", b"::1.2.3.4", b"::1x", b"1::2::3", b"[::1]"]
    inputs += [str(ipaddress.IPv4Address(r.randrange(2**32))).encode() for _ in range(10)]
    inputs += [str(ipaddress.IPv6Address(r.randrange(2**128))).encode() for _ in range(10)]
    cases = [(".concat(),ipmask(%d,%d)" % (a, b), masked(a, b)) for a, b in ((0, 0), (1, 1), (8, 64), (23, 65), (31, 127), (32, 128))]
    cases += [(".concat(),ipmask(255.255.254.0)", masked(23, None)), (".concat(),ipmask(24,ffff:fff0::)", masked(24, 28))]
    check(cases, inputs)
    check([(".host_only", host), (".port_only", port_of)],
          [b"example.com", b"Example.COM:8080", b"127.0.0.1:80", b"127.0.0.1", b"[::1]:80", b"[2001:DB8::1]", b"a:", b"", b"a:0"])


main({"texts": texts_family, "codes": codes_family, "hashes": hashes_family, "numbers": numbers_family, "dates": dates_family,
      "addresses": addresses_family})
