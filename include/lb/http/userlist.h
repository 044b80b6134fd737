/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User lists: who may log in, with which password, in which groups. One list per 'userlist'
 * section, in the generation's arena, immutable once all files are read.
 */
#ifndef LB_HTTP_USERLIST_H
#define LB_HTTP_USERLIST_H

#include <lb/config/cfg.h>

struct userlist;
struct user;

/* By name among p->userlists; NULL: none. Control thread, while loading. */
struct userlist *userlist_find(const struct cfg_parser *p, struct slice name);
/* The user, when the password is right; NULL otherwise. Costs what the hash costs. Any thread. */
const struct user *userlist_check(const struct userlist *ul, struct slice name, struct slice pass);
/* Name of the @i-th group of a user; .ptr NULL: no more. */
struct slice user_group(const struct user *u, unsigned i);

/* Credentials of an Authorization field: scheme, and the decoded user and password of Basic. */
struct http_credentials {
	struct slice scheme, rest; /* "Basic", what follows it */
	struct slice user, pass;   /* Basic: decoded; .ptr NULL: not Basic or malformed */
};
struct http_msg;
/* From Authorization (Proxy-Authorization for proxied requests), decoded into scratch. false: none.
 */
bool http_get_credentials(const struct http_msg *m, struct http_credentials *out);

#endif
