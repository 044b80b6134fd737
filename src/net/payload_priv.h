/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the bytes that wait in the running direction. */
#ifndef LB_NET_PAYLOAD_PRIV_H
#define LB_NET_PAYLOAD_PRIV_H

#include <lb/core/buf.h>
#include <lb/sample/sample.h>

/* The first bytes, up to @max, in one piece. false: none to be had in this direction (or in HTTP
 * mode). */
bool payload_get(
	struct smp_env *env, struct sample *smp, bool is_response, uint32_t max, struct slice *out);
/* Nothing found yet: says so in @smp unless no more can come. Return: false. */
bool payload_wait(const struct smp_env *env, struct sample *smp);

#endif
