/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIX (Financial Information eXchange): is a payload a valid message, and what do its fields say.
 *
 * A message is a row of "tag=value" with a byte 1 behind each: BeginString (8), BodyLength (9),
 * MsgType (35), others, CheckSum (10). Only the first message of a payload is looked at. While it
 * has not come whole and nothing in it is wrong, there is no result and more data may bring one.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

#define SEPARATOR 1
#define MAX_BODY  (1 << 30)

enum tag {
	BEGIN_STRING = 8,
	BODY_LENGTH = 9,
	CHECK_SUM = 10,
	MSG_TYPE = 35,
	SENDER_COMP_ID = 49,
	TARGET_COMP_ID = 56
};

static const struct {
	const char *name;
	enum tag tag;
} tag_names[] = {
	{ "BeginString", BEGIN_STRING },
	{ "BodyLength", BODY_LENGTH },
	{ "CheckSum", CHECK_SUM },
	{ "MsgType", MSG_TYPE },
	{ "SenderCompID", SENDER_COMP_ID },
	{ "TargetCompID", TARGET_COMP_ID },
};

enum verdict {
	VALID,
	INVALID,
	NEEDS_MORE
};

struct field {
	const char *start;
	uint64_t tag;
	struct slice value;
};

/* --- reading --- */

/* The next field of @s, which goes behind it. */
static enum verdict read_field(struct slice *s, struct field *f)
{
	const char *end = s->len ? memchr(s->ptr, SEPARATOR, s->len) : NULL;
	const char *eq = end ? memchr(s->ptr, '=', (size_t)(end - s->ptr)) : NULL;

	if (!end)
		return NEEDS_MORE;
	if (!eq || str_parse_uint(slice_make(s->ptr, (size_t)(eq - s->ptr)), &f->tag) != 0 ||
		f->tag == 0)
		return INVALID;
	f->start = s->ptr;
	f->value = slice_make(eq + 1, (size_t)(end - eq - 1));
	s->len -= (size_t)(end + 1 - s->ptr);
	s->ptr = end + 1;
	return VALID;
}

static bool is_version(struct slice v)
{
	static const struct slice versions[] = { { "FIX.4.0", 7 }, { "FIX.4.1", 7 },
		{ "FIX.4.2", 7 }, { "FIX.4.3", 7 }, { "FIX.4.4", 7 }, { "FIXT.1.1", 8 } };

	for (size_t i = 0; i < LB_ARRAY_LEN(versions); i++)
		if (slice_eq(v, versions[i]))
			return true;
	return false;
}

/* BeginString and BodyLength. */
static enum verdict read_head(struct slice *s, uint64_t *body_len)
{
	static const char prefix[] = "8=FIX";
	struct field f;
	enum verdict r;

	if (s->len && memcmp(s->ptr, prefix, LB_MIN(s->len, sizeof(prefix) - 1)) != 0)
		return INVALID;
	r = read_field(s, &f);
	if (r == VALID && !is_version(f.value))
		return INVALID;
	if (r == VALID)
		r = read_field(s, &f);
	if (r == VALID && (f.tag != BODY_LENGTH || str_parse_uint(f.value, body_len) != 0 ||
				  *body_len > MAX_BODY))
		return INVALID;
	return r;
}

/* Three digits: the sum of all bytes in front of the field (FIX 4.2, Checksum calculation). */
static bool is_check_sum(struct slice message, const struct field *f)
{
	unsigned sum = 0, said = 0;

	for (const char *p = message.ptr; p < f->start; p++)
		sum += (unsigned char)*p;
	for (size_t i = 0; i < f->value.len; i++) {
		if (f->value.ptr[i] < '0' || f->value.ptr[i] > '9')
			return false;
		said = said * 10 + (unsigned)(f->value.ptr[i] - '0');
	}
	return f->value.len == 3 && said == sum % 256;
}

/* One field behind BodyLength, which begins at byte @at of the body. */
static bool is_body_field(const struct field *f, size_t at, size_t end, uint64_t body_len)
{
	return end <= body_len && f->tag != CHECK_SUM && f->value.len &&
	       (at == 0) == (f->tag == MSG_TYPE);
}

static enum verdict validate(struct slice message)
{
	struct slice s = message;
	uint64_t body_len;
	struct field f;
	const char *body;
	enum verdict r = read_head(&s, &body_len);

	for (body = s.ptr; r == VALID;) {
		size_t at = (size_t)(s.ptr - body);

		r = read_field(&s, &f);
		if (r == NEEDS_MORE && at < body_len && at + s.len > body_len)
			return INVALID; /* goes on behind the body */
		if (r != VALID)
			return r;
		if (at && at == body_len)
			return f.tag == CHECK_SUM && is_check_sum(message, &f) ? VALID : INVALID;
		if (!is_body_field(&f, at, (size_t)(s.ptr - body), body_len))
			return INVALID;
	}
	return r;
}

/* --- converters --- */

CONV(fix_is_valid)
{
	enum verdict r = validate(smp->str);

	smp_set_bool(smp, r == VALID);
	return smp_set_final(smp, r != NEEDS_MORE);
}

/* Looks at fields only, not at the message: that is fix_is_valid's business. */
CONV(fix_tag_value)
{
	struct slice s = smp->str;
	struct field f;
	enum verdict r;

	while ((r = read_field(&s, &f)) == VALID) {
		if (f.tag == (uint64_t)args[0].sint) {
			smp_set_str(smp, SMP_BIN, f.value);
			return smp_set_final(smp, true);
		}
		if (f.tag == CHECK_SUM) {
			r = INVALID;
			break;
		}
	}
	smp_set_final(smp, r != NEEDS_MORE);
	return false;
}

static int check_fix_tag(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const char *near = NULL;
	unsigned best = STR_FAR;
	uint64_t v;

	if (str_parse_uint(args[0].str, &v) == 0 && v > 0 && v <= INT64_MAX) {
		args[0].sint = (int64_t)v;
		return 0;
	}
	for (size_t i = 0; i < LB_ARRAY_LEN(tag_names); i++) {
		struct slice name = slice_of(tag_names[i].name);

		args[0].sint = tag_names[i].tag;
		if (slice_ieq(args[0].str, name))
			return 0;
		if (str_is_nearer(args[0].str, name, &best))
			near = tag_names[i].name;
	}
	*err = near ? arena_printf(a, "'%.*s' is no tag; did you mean '%s'?",
			      SLICE_ARG(args[0].str), near)
		    : arena_printf(a, "expected a tag such as 35 or MsgType, got '%.*s'",
			      SLICE_ARG(args[0].str));
	return -1;
}

/* clang-format off */
static const struct conv_kw fix_convs[] = {
	{ .name = "fix_is_valid", .in = SMP_BIN, .out = SMP_BOOL, .conv = conv_fix_is_valid,
	  .help = "whether a payload begins with a valid FIX message" },
	{ .name = "fix_tag_value", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR }, .min_args = 1,
	  .check = check_fix_tag, .conv = conv_fix_tag_value,
	  .help = "the value of a tag, by number or name, of the first FIX message in a payload" },
};
LB_REGISTER_CONV(fix_convs);
/* clang-format on */
