/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognising names: character classes and the index of well-known field names.
 *
 * A name is found by a hash of its first byte, last byte and length, which spreads today's names
 * without a collision; probing keeps it right when names are added.
 */
#ifndef LB_HTTP_NAMES_PRIV_H
#define LB_HTTP_NAMES_PRIV_H

#include <lb/http/msg.h>

#define HTTP_NAME_PAD   24 /* room for the longest name and its zeroes; at least 16 */
#define HTTP_NAME_SLOTS 128

struct http_known_name {
	char name[HTTP_NAME_PAD];
	uint8_t len;
};

extern const struct http_known_name http_known_names[HDR_N];
extern uint8_t http_name_index[HTTP_NAME_SLOTS]; /* id, or HDR_OTHER for a free slot */

/* The lower-case form of a token character, 0 for any other byte. */
extern const uint8_t http_token_lower[256];
/* Whether a byte may stand in a host, with its port and brackets. */
extern const uint8_t http_host_char[256];

static inline bool http_is_token(char c)
{
	return http_token_lower[(uint8_t)c] != 0;
}

static inline unsigned http_name_slot(const char *name, size_t len)
{
	return ((uint8_t)name[0] + (uint8_t)name[len - 1] * 43u + (unsigned)len * 25u) %
	       HTTP_NAME_SLOTS;
}

#endif
