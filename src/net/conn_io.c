/* SPDX-License-Identifier: Apache-2.0 */
/* Reading into and writing from queues of buffers: what every mux does with bodies and tunnels. */
#include <lb/net/conn.h>

#include <errno.h>

static void adapt(uint8_t *n_bufs, size_t asked, size_t got)
{
	if (got == asked)
		*n_bufs = (uint8_t)LB_MIN(*n_bufs * 2, CONN_READ_BUFS_MAX);
	else if (got < asked / 4 && *n_bufs > 1)
		*n_bufs /= 2;
}

ssize_t conn_recv_bufq(struct conn *c, struct bufq *q, size_t max, uint8_t *n_bufs)
{
	struct iovec iov[CONN_READ_BUFS_MAX];
	struct buf *bufs[CONN_READ_BUFS_MAX];
	unsigned want = LB_MIN((unsigned)*n_bufs, bufq_room(q)), n = 0;
	size_t asked = 0, left;
	ssize_t r;

	while (n < want && asked < max && (bufs[n] = buf_new())) {
		size_t len = LB_MIN((size_t)bufs[n]->cap, max - asked);

		iov[n] = (struct iovec){ bufs[n]->data, len };
		asked += len;
		n++;
	}
	if (!n)
		return conn_fail(c, ENOMEM);
	r = conn_recv(c, iov, (int)n);
	left = r > 0 ? (size_t)r : 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = (uint32_t)LB_MIN(iov[i].iov_len, left);

		if (len)
			bufq_append(q, bufs[i], bufs[i]->data, len);
		bufs[i]->tail = len;
		left -= len;
		buf_unref(&bufs[i]);
	}
	if (r > 0)
		adapt(n_bufs, asked, (size_t)r);
	return r;
}

ssize_t conn_send_bufq(struct conn *c, struct bufq *q)
{
	struct iovec iov[BUFQ_MAX];
	ssize_t total = 0;

	while (q->len && c->can_send) {
		unsigned n = bufq_iov(q, iov, BUFQ_MAX);
		ssize_t r = conn_send(c, iov, (int)n, 0);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			return r;
		bufq_consume(q, (uint32_t)r);
		total += r;
	}
	return total;
}
