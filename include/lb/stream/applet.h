/* SPDX-License-Identifier: Apache-2.0 */
/* Applets: endpoints inside lb that produce a response (services: metrics, statistics page). */
#ifndef LB_STREAM_APPLET_H
#define LB_STREAM_APPLET_H

#include <lb/core/str.h>
#include <lb/http/msg.h>
#include <lb/sample/sample.h>

struct applet_ops {
	const char *name;
	/* Sees the request; fills the response head (status and fields; no framing). *state_out is
	 * the applet's. 0 or -errno: 500. */
	int (*start)(struct smp_env *env, struct http_msg *res, void **state_out);
	/* Appends some of the body (16 kB or so). Return: true while there is more. */
	bool (*fill)(void *state, struct strbuf *out);
	void (*release)(void *state); /* always called after a successful start */
};

#endif
