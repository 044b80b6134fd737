/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What compiled expressions hold outside of their arena: shared regular expressions, keys that are
 * wiped, objects of OpenSSL.
 *
 * Each arena (one generation, or a load under way) has a list of what is to be given back when it
 * ends; sample_release() goes through it, newest first. Control thread only.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <stdlib.h>

struct held {
	struct held *next; /* older */
	void (*give_back)(void *obj);
	void *obj;
};

struct holder {
	struct holder *next;
	const struct arena *arena;
	struct held *held; /* owned; newest first */
};

static struct holder *holders; /* control thread; as many as generations live */

static struct holder *holder_of(const struct arena *a)
{
	struct holder *h = holders;

	while (h && h->arena != a)
		h = h->next;
	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->arena = a;
	h->next = holders;
	holders = h;
	return h;
}

int held_add(const struct arena *a, void (*give_back)(void *obj), void *obj)
{
	struct holder *h = holder_of(a);
	struct held *one = h ? malloc(sizeof(*one)) : NULL;

	if (!one) {
		give_back(obj);
		return -1;
	}
	*one = (struct held){ h->held, give_back, obj };
	h->held = one;
	return 0;
}

void sample_release(const struct arena *a)
{
	struct holder **at = &holders, *h;

	while (*at && (*at)->arena != a)
		at = &(*at)->next;
	h = *at;
	if (!h)
		return;
	*at = h->next;
	while (h->held) {
		struct held *one = h->held;

		h->held = one->next;
		one->give_back(one->obj);
		free(one);
	}
	free(h);
}
