/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fc_saved_syn: the headers of the packet that began a client connection.
 *
 * 'tcp-ss' on a bind line lets the kernel keep them. It gives them out once and forgets them, so
 * the connection keeps its copy from the first time that anybody asks. The converters eth.*, ip.*
 * and tcp.* read them.
 */
#include <lb/net/conn.h>
#include <lb/sample/sample.h>

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SYN_MAX 512 /* Ethernet with tags, IP with options, TCP with options: less than half */

struct saved_syn {
	size_t len; /* 0: the kernel has none */
	char bytes[];
};

static struct saved_syn *ask_kernel(int fd)
{
	char bytes[SYN_MAX];
	socklen_t len = sizeof(bytes);
	struct saved_syn *syn;

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, bytes, &len) < 0)
		len = 0;
	syn = malloc(sizeof(*syn) + len);
	if (!syn)
		return NULL;
	syn->len = len;
	memcpy(syn->bytes, bytes, len);
	return syn;
}

static bool fetch_saved_syn(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct conn *c = env->fc;

	if (!c)
		return false;
	if (!c->saved_syn)
		c->saved_syn = ask_kernel(c->watch.fd);
	if (!c->saved_syn || !c->saved_syn->len)
		return false;
	smp->type = SMP_BIN;
	smp->str = slice_make(c->saved_syn->bytes, c->saved_syn->len);
	smp->flags |= SMP_F_CONST;
	return true;
}

/* clang-format off */
static const struct fetch_kw syn_fetches[] = {
	{ .name = "fc_saved_syn", .out = SMP_BIN, .need = SMP_NEED_L4_CLIENT, .fetch = fetch_saved_syn,
	  .help = "headers of the packet that began the client connection, where 'tcp-ss' keeps them" },
};
LB_REGISTER_FETCH(syn_fetches);
/* clang-format on */
