/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling servers about the client: X-Forwarded-For, X-Original-To, and Forwarded (RFC 7239).
 * Addresses come as plain bytes: this folder knows no sockets.
 */
#ifndef LB_HTTP_FORWARDED_H
#define LB_HTTP_FORWARDED_H

#include <lb/http/msg.h>
#include <lb/sample/sample.h>

struct http_peer {      /* one end of the client's connection */
	uint8_t family; /* AF_INET, AF_INET6; anything else: unknown */
	uint16_t port;  /* 0: unknown */
	const void *ip; /* struct in_addr or in6_addr; borrowed for the call */
};

/**
 * http_add_forwardfor() - append '<header>: <address>' ('option forwardfor', 'originalto')
 * @if_none: only when the message has no such field
 * @except: addresses in this network get none; family 0: no exception
 * Return: 0 (also when nothing was to be added), or -errno as http_add().
 */
int http_add_forwardfor(struct http_msg *m, struct slice header, bool if_none,
	const struct http_peer *peer, const struct http_peer *except, unsigned except_bits);

struct fwd_conf; /* what 'option forwarded' says; in the generation's arena */
/* args stand behind 'forwarded'. NULL with the error reported. */
struct fwd_conf *fwd_parse(struct cfg_parser *p, struct cfg_args *args);
/* Appends 'forwarded: proto=...;for=...'. 0 or -errno. @is_tls: the client's connection is
 * encrypted. */
int http_add_forwarded(struct http_msg *m, const struct fwd_conf *conf, struct smp_env *env,
	const struct http_peer *src, const struct http_peer *dst, bool is_tls);

#endif
