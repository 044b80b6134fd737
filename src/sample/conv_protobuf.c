/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of Protocol Buffers messages, and of those that gRPC carries.
 *
 * A message is a row of fields: a key (number and wire type) and a value. A path such as 48.59.1
 * goes into field 48, a message itself, and so on. Where a field stands several times, the first
 * one in which the rest of the path leads to something counts. Each level of the path looks at each
 * byte once at most, and messages that break off or are wrong give nothing.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

#define MAX_PATH        16
#define MAX_GROUPS      64 /* one in the other */
#define MAX_FIELD       ((1u << 29) - 1)
#define GRPC_HEADER_LEN 5

enum wire_type { /* what follows a key */
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32 = 5
};

enum field_type {
	TYPE_RAW,
	TYPE_INT32,
	TYPE_INT64,
	TYPE_UINT32,
	TYPE_UINT64,
	TYPE_SINT32,
	TYPE_SINT64,
	TYPE_BOOL,
	TYPE_ENUM,
	TYPE_FIXED64,
	TYPE_SFIXED64,
	TYPE_DOUBLE,
	TYPE_FIXED32,
	TYPE_SFIXED32,
	TYPE_FLOAT
};

static const struct {
	const char *name;
	enum wire_type wire;
} types[] = {
	[TYPE_RAW] = { "", WIRE_BYTES },
	[TYPE_INT32] = { "int32", WIRE_VARINT },
	[TYPE_INT64] = { "int64", WIRE_VARINT },
	[TYPE_UINT32] = { "uint32", WIRE_VARINT },
	[TYPE_UINT64] = { "uint64", WIRE_VARINT },
	[TYPE_SINT32] = { "sint32", WIRE_VARINT },
	[TYPE_SINT64] = { "sint64", WIRE_VARINT },
	[TYPE_BOOL] = { "bool", WIRE_VARINT },
	[TYPE_ENUM] = { "enum", WIRE_VARINT },
	[TYPE_FIXED64] = { "fixed64", WIRE_64 },
	[TYPE_SFIXED64] = { "sfixed64", WIRE_64 },
	[TYPE_DOUBLE] = { "double", WIRE_64 },
	[TYPE_FIXED32] = { "fixed32", WIRE_32 },
	[TYPE_SFIXED32] = { "sfixed32", WIRE_32 },
	[TYPE_FLOAT] = { "float", WIRE_32 },
};

struct query { /* [const] */
	enum field_type type;
	uint32_t n;
	uint32_t fields[MAX_PATH];
};

struct field {
	uint32_t number;
	enum wire_type wire;
	struct slice value; /* as encoded; BYTES: what the length counts */
};

/* --- reading --- */

/* 7 bits a byte, low ones first; ten bytes at most. */
static bool read_varint(struct slice *s, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 10 && i < s->len; i++) {
		unsigned char c = (unsigned char)s->ptr[i];

		if (i == 9 && c > 1)
			return false;
		*out |= (uint64_t)(c & 0x7f) << (7 * i);
		if (!(c & 0x80)) {
			s->ptr += i + 1;
			s->len -= i + 1;
			return true;
		}
	}
	return false;
}

static bool cut(struct slice *s, uint64_t len, struct slice *out)
{
	if (len > s->len)
		return false;
	*out = slice_make(s->ptr, (size_t)len);
	s->ptr += len;
	s->len -= (size_t)len;
	return true;
}

static bool read_key(struct slice *s, struct field *f)
{
	uint64_t key;

	if (!read_varint(s, &key) || key >> 3 == 0 || key >> 3 > MAX_FIELD)
		return false;
	f->number = (uint32_t)(key >> 3);
	f->wire = (enum wire_type)(key & 7);
	return true;
}

/* The value of a key that is no group's. */
static bool read_value(struct slice *s, struct field *f)
{
	struct slice start = *s;
	uint64_t v;

	switch (f->wire) {
	case WIRE_VARINT:
		if (!read_varint(s, &v))
			return false;
		f->value = slice_make(start.ptr, start.len - s->len);
		return true;
	case WIRE_64: return cut(s, 8, &f->value);
	case WIRE_32: return cut(s, 4, &f->value);
	case WIRE_BYTES: return read_varint(s, &v) && cut(s, v, &f->value);
	default: return false;
	}
}

/* Behind a group's key, to behind its end. Groups are long gone from the language, but not from
 * messages. */
static bool skip_group(struct slice *s, uint32_t number)
{
	uint32_t open[MAX_GROUPS] = { number };
	unsigned n = 1;
	struct field f;

	while (n > 0) {
		if (!read_key(s, &f))
			return false;
		if (f.wire == WIRE_GROUP_END) {
			if (f.number != open[--n])
				return false;
		} else if (f.wire == WIRE_GROUP) {
			if (n == MAX_GROUPS)
				return false;
			open[n++] = f.number;
		} else if (!read_value(s, &f)) {
			return false;
		}
	}
	return true;
}

/* The next field that is no group; false at the end, and where the message is wrong. */
static bool next_field(struct slice *s, struct field *f)
{
	while (s->len) {
		if (!read_key(s, f))
			return false;
		if (f->wire != WIRE_GROUP)
			return read_value(s, f);
		if (!skip_group(s, f->number))
			return false;
	}
	return false;
}

/* --- values --- */

static uint64_t little_endian(struct slice s)
{
	uint64_t v = 0;

	for (size_t i = s.len; i > 0; i--)
		v = v << 8 | (unsigned char)s.ptr[i - 1];
	return v;
}

static int64_t zigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Without its fraction; false: no integer is that. */
static bool whole_part(double v, int64_t *out)
{
	if (!(v > -9223372036854775808.0 && v < 9223372036854775808.0))
		return false;
	*out = (int64_t)v;
	return true;
}

static bool to_double(uint64_t bits, int64_t *out)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return whole_part(v, out);
}

static bool to_float(uint32_t bits, int64_t *out)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return whole_part(v, out);
}

static bool to_int(enum field_type type, struct slice s, int64_t *out)
{
	uint64_t v;

	if (types[type].wire != WIRE_VARINT)
		v = little_endian(s);
	else if (!read_varint(&s, &v))
		return false;
	switch (type) {
	case TYPE_INT32:
	case TYPE_ENUM:
	case TYPE_SFIXED32: *out = (int32_t)(uint32_t)v; return true;
	case TYPE_UINT32:
	case TYPE_FIXED32: *out = (uint32_t)v; return true;
	case TYPE_SINT32: *out = (int32_t)zigzag((uint32_t)v); return true;
	case TYPE_SINT64: *out = zigzag(v); return true;
	case TYPE_BOOL: *out = v != 0; return true;
	case TYPE_DOUBLE: return to_double(v, out);
	case TYPE_FLOAT: return to_float((uint32_t)v, out);
	default: *out = (int64_t)v; return true;
	}
}

static bool give(struct sample *smp, enum field_type type, struct slice value)
{
	int64_t v;

	if (type == TYPE_RAW) {
		smp_set_str(smp, SMP_BIN, value);
		return true;
	}
	if (!to_int(type, value, &v))
		return false;
	smp_set_int(smp, v);
	return true;
}

/* --- looking up --- */

static bool is_wanted(const struct query *q, const struct field *f, uint32_t depth)
{
	if (f->number != q->fields[depth])
		return false;
	if (depth + 1 < q->n)
		return f->wire == WIRE_BYTES;
	return q->type == TYPE_RAW || f->wire == types[q->type].wire;
}

/* Goes down where the path says so, and up again where a message ends without having it. */
static bool find(const struct query *q, struct slice message, struct slice *out)
{
	struct slice rests[MAX_PATH]; /* of each message behind the field that was entered */
	uint32_t depth = 0;
	struct field f;

	rests[0] = message;
	for (;;) {
		if (!next_field(&rests[depth], &f)) {
			if (depth-- == 0)
				return false;
			continue;
		}
		if (!is_wanted(q, &f, depth))
			continue;
		if (depth + 1 == q->n) {
			*out = f.value;
			return true;
		}
		rests[++depth] = f.value;
	}
}

CONV(protobuf)
{
	const struct query *q = priv;
	struct slice value;

	return find(q, smp->str, &value) && give(smp, q->type, value);
}

/* Messages one behind the other: a byte that says whether it is compressed, four of length. */
CONV(ungrpc)
{
	const struct query *q = priv;
	struct slice s = smp->str, header, message, value;

	while (cut(&s, GRPC_HEADER_LEN, &header)) {
		unsigned char compressed = (unsigned char)header.ptr[0];

		if (compressed > 1 || !cut(&s, get_be32(header.ptr + 1), &message))
			return false;
		if (!compressed && find(q, message, &value))
			return give(smp, q->type, value);
	}
	return false;
}

/* --- arguments --- */

static int parse_path(struct slice text, struct query *q, struct arena *a, const char **err)
{
	for (;;) {
		const char *dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
		struct slice one = slice_make(text.ptr, dot ? (size_t)(dot - text.ptr) : text.len);
		uint64_t v;

		if (q->n == MAX_PATH) {
			*err = arena_printf(a, "a path has %d fields at most", MAX_PATH);
			return -1;
		}
		if (str_parse_uint(one, &v) != 0 || v < 1 || v > MAX_FIELD) {
			*err = arena_printf(a,
				"expected numbers of fields from 1 to %u such as 48.59.1, got "
				"'%.*s'",
				MAX_FIELD, SLICE_ARG(one));
			return -1;
		}
		q->fields[q->n++] = (uint32_t)v;
		if (!dot)
			return 0;
		text.len -= (size_t)(dot + 1 - text.ptr);
		text.ptr = dot + 1;
	}
}

static int parse_type(struct slice text, struct query *q, struct arena *a, const char **err)
{
	const char *near = NULL;
	unsigned best = STR_FAR;

	for (unsigned i = TYPE_INT32; i < LB_ARRAY_LEN(types); i++) {
		struct slice name = slice_of(types[i].name);

		if (slice_eq(name, text)) {
			q->type = (enum field_type)i;
			return 0;
		}
		if (str_is_nearer(text, name, &best))
			near = types[i].name;
	}
	if (near)
		*err = arena_printf(a, "'%.*s' is no type of a field; did you mean '%s'?",
			SLICE_ARG(text), near);
	else
		*err = arena_printf(a,
			"'%.*s' is no type of a field that is a number, such as int32 or double; "
			"strings, bytes and messages need none",
			SLICE_ARG(text));
	return -1;
}

static int check_protobuf(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct query *q = ARENA_NEW(a, struct query);

	*priv_out = q;
	*err = "out of memory";
	if (!q || parse_path(args[0].str, q, a, err) != 0)
		return arg_refuse(&args[0]);
	if (!arg_given(&args[1]) || !args[1].str.len || parse_type(args[1].str, q, a, err) == 0)
		return 0;
	return arg_refuse(&args[1]);
}

/* clang-format off */
static const struct conv_kw protobuf_convs[] = {
	{ .name = "protobuf", .in = SMP_BIN, .out = SMP_ANY, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .check = check_protobuf, .conv = conv_protobuf,
	  .help = "a field of a Protocol Buffers message by its path; with a type, as an integer" },
	{ .name = "ungrpc", .in = SMP_BIN, .out = SMP_ANY, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .check = check_protobuf, .conv = conv_ungrpc,
	  .help = "a field of the message in a gRPC body by its path; with a type, as an integer" },
};
LB_REGISTER_CONV(protobuf_convs);
/* clang-format on */
