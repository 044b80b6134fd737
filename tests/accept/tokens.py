#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens: made with the openssl command and Python's own libraries, judged by lb."""
import base64
import hashlib
import hmac
import json
import os
import subprocess

from lbtest import DEFAULTS, PROGRAM, Http, Lb, folder, free_port, main

KEYS = folder()
BITS = (256, 384, 512)
CURVES = {256: ("prime256v1", 32), 384: ("secp384r1", 48), 512: ("secp521r1", 66)}


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def path(name):
    return os.path.join(KEYS, name)


def openssl(*args, data=b""):
    done = subprocess.run(("openssl",) + args, input=data, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError("openssl %s: %s" % (" ".join(args), done.stderr.decode()))
    return done.stdout


def private_key(name, *options):
    """A new key; its public half is in the file <name>.pub."""
    if not os.path.exists(path(name)):
        openssl("genpkey", *options, "-out", path(name))
        openssl("pkey", "-in", path(name), "-pubout", "-out", path(name + ".pub"))
    return path(name)


def rsa_key(name="rsa", bits=2048):
    return private_key(name, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits)


def ec_key(bits, curve=None):
    curve = curve or CURVES[bits][0]
    return private_key("ec-" + curve, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve)


def certificate():
    if not os.path.exists(path("crt.pem")):
        openssl("req", "-x509", "-new", "-key", rsa_key(), "-subj", "/CN=tokens", "-days", "2", "-out", path("crt.pem"))
    return path("crt.pem")


def der_numbers(der):
    """The two numbers of an ECDSA signature."""
    at = 3 if der[1] & 0x80 else 2
    out = []
    for _ in range(2):
        length = der[at + 1]
        out.append(int.from_bytes(der[at + 2:at + 2 + length], "big"))
        at += 2 + length
    return out


def sign(alg, text, key=None):
    bits = int(alg[2:]) if alg[2:].isdigit() else 0
    if alg.startswith("HS"):
        return hmac.new(key or b"secret", text, getattr(hashlib, "sha%d" % bits)).digest()
    if alg == "EdDSA":
        with open(path("message"), "wb") as f:
            f.write(text)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path("message"))
    dgst = ["dgst", "-sha%d" % bits, "-sign"]
    if alg.startswith("RS"):
        return openssl(*dgst, rsa_key(), data=text)
    if alg.startswith("PS"):
        return openssl(*dgst, rsa_key(), "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", data=text)
    size = CURVES[bits][1]
    return b"".join(n.to_bytes(size, "big") for n in der_numbers(openssl(*dgst, ec_key(bits), data=text)))


def token(alg, key=None, payload=None, header=None):
    head = dict({"alg": alg, "typ": "JWT"}, **(header or {}))
    text = url64(json.dumps(head).encode()) + "." + url64(json.dumps(payload or {"sub": "me", "n": 1}).encode())
    return text + "." + url64(sign(alg, text.encode(), key))


class Judge:
    """An lb that answers with the value of an expression over the request's fields."""

    def __init__(self, exprs, extra=""):
        self.port = free_port()
        rules = ""
        for name, expr in exprs.items():
            rules += "  http-request return status 200 hdr x-value '<%%[%s]>' if { path /%s }\n" % (expr, name)
        self.lb = Lb("%s%s\nfrontend f\n  bind 127.0.0.1:%d\n  http-request set-var(txn.alg) req.hdr(x-alg)\n"
                     "  http-request set-var(txn.key) req.hdr(x-key)\n%s" % (DEFAULTS, extra, self.port, rules))
        self.client = Http(self.port)

    def value(self, name, text, **fields):
        extra = "".join("x-%s: %s\r\n" % f for f in fields.items())
        status, head, _ = self.client.get("/" + name, "x-token: %s\r\n%s" % (text, extra))
        assert status == 200, (name, status)
        return head["x-value"][1:-1]

    def expect(self, want, name, text, **fields):
        got = self.value(name, text, **fields)
        assert got == str(want), "%s of %s with %s: %r, not %r" % (name, text, fields, got, want)


def tampered(text):
    """The token with one bit of its header, payload and signature changed, each by itself."""
    parts = text.split(".")
    for i, part in enumerate(parts):
        # not the last character: some of its bits mean nothing
        at = len(part) // 2
        other = "A" if part[at] != "A" else "B"
        yield ".".join(parts[:i] + [part[:at] + other + part[at + 1:]] + parts[i + 1:])


def key_files():
    """The algorithms and the files whose keys verify them."""
    out = {"HS%d" % bits: "secret" for bits in BITS}
    out.update({"%s%d" % (kind, bits): rsa_key() + ".pub" for kind in ("RS", "PS") for bits in BITS})
    out.update({"ES%d" % bits: ec_key(bits) + ".pub" for bits in BITS})
    out["EdDSA"] = private_key("ed25519", "-algorithm", "ED25519") + ".pub"
    return out


def signatures():
    """Each algorithm: right, tampered, with another token's signature; algorithm fixed and from the token."""
    files = key_files()
    exprs = {alg: "req.hdr(x-token),jwt_verify(%s,%s)" % (alg, key) for alg, key in files.items()}
    exprs.update({alg + "-var": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % key for alg, key in files.items()})
    exprs["crt"] = "req.hdr(x-token),jwt_verify(RS256,%s)" % certificate()
    exprs["ed448"] = "req.hdr(x-token),jwt_verify(EdDSA,%s)" % (private_key("ed448", "-algorithm", "ED448") + ".pub")
    judge = Judge(exprs)
    for alg in files:
        key = path("ed25519") if alg == "EdDSA" else None
        text = token(alg, key)
        judge.expect(1, alg, text)
        judge.expect(1, alg + "-var", text, alg=alg)
        for other in tampered(text):
            judge.expect(0, alg, other)
        swapped = text.rsplit(".", 1)[0] + "." + token(alg, key, {"sub": "you"}).rsplit(".", 1)[1]
        judge.expect(0, alg, swapped)
        judge.expect(0, alg, text[:-8])  # a signature that is too short
        for other in ("", ".", "a.b", text.rsplit(".", 1)[0], text.rsplit(".", 1)[0] + ".", text + ".x", text + "!"):
            judge.expect(-3, alg, other)
    judge.expect(1, "crt", token("RS256"))
    judge.expect(1, "ed448", token("EdDSA", path("ed448")))
    judge.expect(0, "EdDSA", token("EdDSA", path("ed448")))
    # numbers with leading zeros, and with a sign bit that is not meant as one
    for i in range(12):
        judge.expect(1, "ES256", token("ES256", payload={"i": i}))


def confusion():
    """What a token says of its algorithm must not change what a key is used for."""
    pem = rsa_key() + ".pub"
    with open(pem, "rb") as f:
        text = f.read()
    judge = Judge({
        "file": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % pem,
        "secret": "req.hdr(x-token),jwt_verify(txn.alg,secret)",
        "rs": "req.hdr(x-token),jwt_verify(RS256,txn.key)",
        "hs": "req.hdr(x-token),jwt_verify(HS256,txn.key)",
        "ec": "req.hdr(x-token),jwt_verify(txn.alg,%s)" % (ec_key(0, "secp256k1") + ".pub"),
    })
    for key in (text, text.strip(), pem.encode(), base64.b64decode(b"".join(text.split(b"\n")[1:-2]))):
        judge.expect(0, "file", token("HS256", key), alg="HS256")
    judge.expect(0, "hs", token("HS256", pem.encode()), key=pem)
    judge.expect(1, "hs", token("HS256", b"other"), key="other")
    judge.expect(1, "rs", token("RS256"), key=pem)
    judge.expect(-5, "rs", token("RS256"), key=certificate())  # no rule names it
    judge.expect(-5, "secret", token("RS256"), alg="RS256")
    judge.expect(1, "secret", token("HS256"), alg="HS256")
    judge.expect(0, "secret", token("HS256"), alg="HS384")
    judge.expect(0, "file", token("ES256"), alg="ES256")
    judge.expect(0, "file", token("PS256"), alg="RS256")
    judge.expect(0, "ec", token("ES256"), alg="ES256")  # of another curve than the algorithm's
    judge.expect(-1, "file", token("RS256"), alg="rs256")
    unsigned = url64(b'{"alg":"none"}') + "." + url64(b'{"sub":"me"}') + "."
    for alg, want in (("none", -2), ("None", -1), ("HS256", -3)):
        judge.expect(want, "secret", unsigned, alg=alg)
    assert judge.value("secret", token("HS256")) == ""  # no variable, no result


def queries():
    """Parts of headers and payloads; tokens that are none."""
    judge = Judge({
        "header": "req.hdr(x-token),jwt_header_query",
        "payload": "req.hdr(x-token),jwt_payload_query()",
        "alg": "req.hdr(x-token),jwt_header_query($.alg)",
        "n": "req.hdr(x-token),jwt_payload_query($.n,int),add(1)",
        "aud": "req.hdr(x-token),jwt_payload_query($.aud[1])",
        "bearer": "http_auth_bearer(x-auth),jwt_payload_query($.sub)",
    })
    text = token("HS256", payload={"sub": "me", "n": 41, "aud": ["a", "b\u00e9"]})
    judge.expect('{"alg": "HS256", "typ": "JWT"}', "header", text)
    judge.expect(json.dumps({"sub": "me", "n": 41, "aud": ["a", "b\u00e9"]}), "payload", text)
    judge.expect("HS256", "alg", text)
    judge.expect(42, "n", text)
    judge.expect("b\u00c3\u00a9", "aud", text)  # UTF-8, as the client reads fields
    judge.expect("me", "bearer", "", auth="Bearer " + text)
    for other in ("", "x", "!.!.!", "e30.e30.e30", ".".join(["e30"] * 6)):
        judge.expect("", "alg", other)
        judge.expect("", "n", other)


def judged(converter, extra=""):
    """What -c says of an expression with @converter: (status, text)."""
    config = path("check.cfg")
    with open(config, "w") as f:
        f.write("%s%s\nfrontend f\n  bind 127.0.0.1:1\n  http-request set-header x %%[str(x),%s]\n" % (extra, DEFAULTS, converter))
    done = subprocess.run((PROGRAM, "-c", "-f", config), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def refuses(converter, message, extra=""):
    status, text = judged(converter, extra)
    assert status == 1 and message in text, (converter, status, text)


def refusals():
    """Keys and algorithms that cannot be used are found while loading, and marked."""
    refuses("jwt_verify(RS256,/no/such/file)", "'/no/such/file'")
    status, text = judged("jwt_verify(RS256,/no/such/file)")
    line, marks = text.split("\n")[1:3]
    assert status == 1 and line[marks.index("^"):marks.rindex("~") + 1] == "/no/such/file", text
    with open(path("text"), "w") as f:
        f.write("no key\n")
    refuses("jwt_verify(RS256,%s)" % path("text"), "has neither a public key nor a certificate in PEM")
    refuses("jwt_verify(txn.alg,%s)" % path("text"), "has neither a public key nor a certificate in PEM")
    refuses("jwt_verify(txn.alg,/no/such/file)", "'/no/such/file'")
    refuses("jwt_verify(ES256,%s)" % (rsa_key() + ".pub"), "is a RSA key, which ES256 cannot use")
    refuses("jwt_verify(ES256,%s)" % (ec_key(384) + ".pub"), "is a EC key, which ES256 cannot use")
    refuses("jwt_verify(none,x)", "'none' means that there is no signature to verify")
    refuses("jwt_verify(RS265,x)", "'RS265' is not an algorithm for signatures; did you mean 'RS256'?")
    refuses("jwt_verify(HS256)", "expects a string as argument 2")
    refuses("jwt_payload_query(sub)", "expected a path that begins with '$'")
    weak = rsa_key("weak", 1024)
    status, text = judged("jwt_verify(RS256,%s)" % (weak + ".pub"))
    assert status == 0 and "has 1024 bits; RFC 7518 asks for 2048 at least" in text, text


if __name__ == "__main__":
    main({f.__name__: f for f in (signatures, confusion, queries, refusals)})
