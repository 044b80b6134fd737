/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection gives back its reference on a server, of which this layer knows only the name.
 */
#ifndef LB_NET_SERVER_REF_H
#define LB_NET_SERVER_REF_H

struct server;

struct server_ref_ops { /* set by the server module at start-up */
	void (*unref)(struct server **s);
};
extern struct server_ref_ops server_ref_ops;

#endif
