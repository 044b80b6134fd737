/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: their memory, finding fields, editing them.
 *
 * The array of fields lies right behind its message, so that a message is one allocation, from the
 * pool unless the configured number of fields has outgrown it since start-up.
 */
#include <lb/http/msg.h>

#include <errno.h>
#include <lb/core/pool.h>
#include <lb/core/tune.h>
#include <stdlib.h>

#include "names_priv.h"

#define DEFAULT_MAX_HDR 101

#define MSG_SIZE(n_fields) (sizeof(struct http_msg) + (n_fields) * sizeof(struct http_field))

LB_POOL(http_msg_pool, "http_msg", MSG_SIZE(DEFAULT_MAX_HDR + HTTP_SPARE_FIELDS), 256);

static unsigned fields_wanted(void)
{
	unsigned n = lb_tune.http_maxhdr ? lb_tune.http_maxhdr : DEFAULT_MAX_HDR;

	return LB_MIN(n, UINT16_MAX - HTTP_SPARE_FIELDS) + HTTP_SPARE_FIELDS;
}

void http_msgs_init(void)
{
	http_msg_pool.size = MSG_SIZE(fields_wanted());
}

struct http_msg *http_msg_new(void)
{
	unsigned n = fields_wanted();
	bool is_pooled = MSG_SIZE(n) <= http_msg_pool.size;
	struct http_msg *m = is_pooled ? pool_alloc(&http_msg_pool) : malloc(MSG_SIZE(n));

	if (!m)
		return NULL;
	m->fields = (struct http_field *)(m + 1);
	m->max_fields = n;
	m->max_received = n - HTTP_SPARE_FIELDS;
	m->is_pooled = is_pooled;
	m->head_buf = NULL;
	m->arena = NULL;
	http_msg_reset(m, false);
	return m;
}

struct http_msg *http_msg_new_in(struct arena *a, unsigned max_fields, bool is_response)
{
	struct http_msg *m = arena_alloc(a, MSG_SIZE(max_fields));

	if (!m)
		return NULL;
	m->fields = (struct http_field *)(m + 1);
	m->max_fields = m->max_received = max_fields;
	m->is_pooled = false;
	m->head_buf = NULL;
	http_msg_reset(m, is_response);
	m->arena = a;
	return m;
}

void http_msg_free(struct http_msg **m)
{
	struct http_msg *x = *m;

	*m = NULL;
	if (!x)
		return;
	buf_unref(&x->head_buf);
	if (x->is_pooled)
		pool_free(&http_msg_pool, x);
	else
		free(x);
}

/* Everything but the fields themselves, their room and the arena. */
void http_msg_reset(struct http_msg *m, bool is_response)
{
	buf_unref(&m->head_buf);
	m->n_fields = 0;
	m->is_response = is_response;
	m->version = 11;
	m->method = METH_OTHER;
	m->body = BODY_NONE;
	m->status = 0;
	m->flags = 0;
	m->present = 0;
	m->content_length = 0;
	m->method_str = m->target = m->reason = SLICE_NULL;
	m->head_len = 0;
	m->trailers = NULL;
	m->scheme = m->authority = m->path = m->query = SLICE_NULL;
	m->has_uri_parts = false;
}

/* --- finding --- */

struct http_field *http_find_id(
	const struct http_msg *m, enum http_hid id, const struct http_field *prev)
{
	struct http_field *f = prev ? (struct http_field *)prev + 1 : m->fields;

	if (!http_has(m, id))
		return NULL;
	for (; f < m->fields + m->n_fields; f++) {
		if (f->id == id && !f->is_deleted)
			return f;
	}
	return NULL;
}

/* The id of a name in any case. */
static enum http_hid any_case_id(struct slice name)
{
	char lower[HTTP_NAME_PAD];

	if (name.len >= sizeof(lower))
		return HDR_OTHER;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = http_token_lower[(uint8_t)name.ptr[i]];
	return http_name_id(lower, name.len);
}

static struct http_field *find_other(
	const struct http_msg *m, struct slice name, const struct http_field *prev)
{
	struct http_field *f = prev ? (struct http_field *)prev + 1 : m->fields;

	for (; f < m->fields + m->n_fields; f++) {
		if (f->id == HDR_OTHER && !f->is_deleted && f->name_len == name.len &&
			strncasecmp(f->name, name.ptr, name.len) == 0)
			return f;
	}
	return NULL;
}

struct http_field *http_find(
	const struct http_msg *m, struct slice name, const struct http_field *prev)
{
	enum http_hid id = any_case_id(name);

	return id ? http_find_id(m, id, prev) : find_other(m, name, prev);
}

/* --- editing --- */

bool http_value_is_safe(struct slice v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (LB_UNLIKELY(v.ptr[i] == '\r' || v.ptr[i] == '\n' || v.ptr[i] == '\0'))
			return false;
	}
	return true;
}

static int append_field(
	struct http_msg *m, enum http_hid id, struct slice lower_name, struct slice value)
{
	struct http_field *f;

	if (m->n_fields >= m->max_fields)
		return -E2BIG;
	if (value.len > UINT32_MAX || lower_name.len > UINT16_MAX)
		return -EINVAL;
	f = &m->fields[m->n_fields++];
	f->name = lower_name.ptr;
	f->name_len = lower_name.len;
	f->value = value.ptr;
	f->value_len = value.len;
	f->id = id;
	f->is_deleted = false;
	f->is_added = true;
	f->is_plain = false;
	m->present |= 1ull << id;
	return 0;
}

static int lower_in_arena(struct http_msg *m, struct slice *name)
{
	char *copy;
	size_t i = 0;

	while (i < name->len && (name->ptr[i] < 'A' || name->ptr[i] > 'Z'))
		i++;
	if (i == name->len)
		return 0;
	copy = m->arena ? arena_alloc(m->arena, name->len) : NULL;
	if (!copy)
		return -ENOMEM;
	for (i = 0; i < name->len; i++)
		copy[i] = http_token_lower[(uint8_t)name->ptr[i]];
	name->ptr = copy;
	return 0;
}

int http_add(struct http_msg *m, struct slice name, struct slice value)
{
	enum http_hid id;
	int rc;

	if (!http_name_is_valid(name) || !http_value_is_safe(value))
		return -EINVAL;
	id = any_case_id(name);
	if (id)
		return append_field(m, id, http_name(id), value);
	rc = lower_in_arena(m, &name);
	return rc ? rc : append_field(m, HDR_OTHER, name, value);
}

int http_add_id(struct http_msg *m, enum http_hid id, struct slice value)
{
	return append_field(m, id, http_name(id), value);
}

/* The new one first: when it cannot be added, nothing has changed. */
int http_set(struct http_msg *m, struct slice name, struct slice value)
{
	struct http_field *f = NULL, *added;
	int rc = http_add(m, name, value);

	if (rc)
		return rc;
	added = &m->fields[m->n_fields - 1];
	while ((f = http_find(m, name, f)) != added)
		f->is_deleted = true;
	return 0;
}

unsigned http_del(struct http_msg *m, struct slice name)
{
	enum http_hid id = any_case_id(name);
	struct http_field *f = NULL;
	unsigned n = 0;

	for (; (f = id ? http_find_id(m, id, f) : find_other(m, name, f)); n++)
		f->is_deleted = true;
	if (id)
		m->present &= ~(1ull << id);
	return n;
}

void http_del_id(struct http_msg *m, enum http_hid id)
{
	struct http_field *f = NULL;

	while ((f = http_find_id(m, id, f)))
		f->is_deleted = true;
	m->present &= ~(1ull << id);
}

void http_del_field(struct http_msg *m, struct http_field *f)
{
	LB_ASSERT(f >= m->fields && f < m->fields + m->n_fields);
	f->is_deleted = true;
}

int http_set_method(struct http_msg *m, struct slice method)
{
	if (!http_name_is_valid(method))
		return -EINVAL;
	m->method_str = method;
	m->method = http_method_id(method);
	return 0;
}

int http_set_status(struct http_msg *m, unsigned status, struct slice reason)
{
	if (status < 100 || status > 999 || !http_value_is_safe(reason))
		return -EINVAL;
	m->status = status;
	m->reason = reason.ptr ? reason : slice_of(http_reason(status));
	return 0;
}
