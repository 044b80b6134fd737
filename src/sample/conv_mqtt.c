/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT: is a payload a valid CONNECT or CONNACK packet (3.1, 3.1.1, 5.0), and what do its fields
 * say.
 *
 * They are the first packets of either side, which is what content rules can see. A packet is cut
 * into its fields in place and each is checked as its standard says; while it has not come whole,
 * there is no result and more data may bring one.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

enum packet_type {
	CONNECT = 1,
	CONNACK = 2
};

enum verdict {
	VALID,
	INVALID,
	NEEDS_MORE
};

/* Flags of CONNECT (MQTT 5.0, 3.1.2.3) */
#define FLAG_RESERVED 0x01
#define FLAG_WILL     0x04
#define FLAG_WILL_QOS 0x18
#define FLAG_WILL_ALL 0x38 /* QoS and retain, which want a will */
#define FLAG_PASSWORD 0x40
#define FLAG_USER     0x80

enum field {
	F_FLAGS,
	F_PROTOCOL_NAME,
	F_PROTOCOL_VERSION,
	F_CLIENT_ID,
	F_WILL_TOPIC,
	F_WILL_PAYLOAD,
	F_USERNAME,
	F_PASSWORD,
	F_KEEPALIVE,
	F_REASON_CODE,
	N_FIELDS
};

struct packet {
	enum packet_type type;
	int64_t numbers[N_FIELDS];
	struct slice texts[N_FIELDS];
	uint32_t has; /* bit per field */
	struct slice props, will_props;
};

struct query { /* [const] */
	enum packet_type type;
	bool is_property;
	uint8_t property;
	enum field field;
};

/* --- properties (MQTT 5.0, 2.2.2.2) --- */

enum prop_type {
	P_FLAG, /* a byte, 0 or 1 */
	P_U16,
	P_U32,
	P_TEXT,
	P_BYTES,
	P_PAIR
};

#define IN_CONNECT 1
#define IN_WILL    2
#define IN_CONNACK 4
#define NOT_ZERO   8
#define REPEATS    16

static const struct prop {
	uint8_t id, type, flags;
} props[] = {
	{ 1, P_FLAG, IN_WILL },                            /* payload format indicator */
	{ 2, P_U32, IN_WILL },                             /* message expiry interval */
	{ 3, P_TEXT, IN_WILL },                            /* content type */
	{ 8, P_TEXT, IN_WILL },                            /* response topic */
	{ 9, P_BYTES, IN_WILL },                           /* correlation data */
	{ 17, P_U32, IN_CONNECT | IN_CONNACK },            /* session expiry interval */
	{ 18, P_TEXT, IN_CONNACK },                        /* assigned client identifier */
	{ 19, P_U16, IN_CONNACK },                         /* server keep alive */
	{ 21, P_TEXT, IN_CONNECT | IN_CONNACK },           /* authentication method */
	{ 22, P_BYTES, IN_CONNECT | IN_CONNACK },          /* authentication data */
	{ 23, P_FLAG, IN_CONNECT },                        /* request problem information */
	{ 24, P_U32, IN_WILL },                            /* will delay interval */
	{ 25, P_FLAG, IN_CONNECT },                        /* request response information */
	{ 26, P_TEXT, IN_CONNACK },                        /* response information */
	{ 28, P_TEXT, IN_CONNACK },                        /* server reference */
	{ 31, P_TEXT, IN_CONNACK },                        /* reason string */
	{ 33, P_U16, IN_CONNECT | IN_CONNACK | NOT_ZERO }, /* receive maximum */
	{ 34, P_U16, IN_CONNECT | IN_CONNACK },            /* topic alias maximum */
	{ 36, P_FLAG, IN_CONNACK },                        /* maximum QoS */
	{ 37, P_FLAG, IN_CONNACK },                        /* retain available */
	{ 38, P_PAIR, IN_CONNECT | IN_WILL | IN_CONNACK | REPEATS }, /* user property */
	{ 39, P_U32, IN_CONNECT | IN_CONNACK | NOT_ZERO },           /* maximum packet size */
	{ 40, P_FLAG, IN_CONNACK }, /* wildcard subscription available */
	{ 41, P_FLAG, IN_CONNACK }, /* subscription identifier available */
	{ 42, P_FLAG, IN_CONNACK }, /* shared subscription available */
};

static const struct prop *find_prop(unsigned id)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(props); i++)
		if (props[i].id == id)
			return &props[i];
	return NULL;
}

/* --- reading --- */

static bool read_uint(struct slice *s, unsigned n_bytes, int64_t *out)
{
	if (s->len < n_bytes)
		return false;
	*out = 0;
	for (unsigned i = 0; i < n_bytes; i++)
		*out = *out << 8 | (unsigned char)s->ptr[i];
	s->ptr += n_bytes;
	s->len -= n_bytes;
	return true;
}

/* 7 bits a byte, low ones first; four bytes at most. */
static enum verdict read_varint(struct slice *s, size_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (i == s->len)
			return NEEDS_MORE;
		*out |= (size_t)(s->ptr[i] & 0x7f) << (7 * i);
		if (!(s->ptr[i] & 0x80)) {
			s->ptr += i + 1;
			s->len -= i + 1;
			return VALID;
		}
	}
	return INVALID;
}

static bool read_bytes(struct slice *s, struct slice *out)
{
	int64_t len;

	if (!read_uint(s, 2, &len) || (size_t)len > s->len)
		return false;
	*out = slice_make(s->ptr, (size_t)len);
	s->ptr += len;
	s->len -= (size_t)len;
	return true;
}

/* UTF-8 without NUL (MQTT 5.0, 1.5.4). */
static bool read_text(struct slice *s, struct slice *out)
{
	const unsigned char *p;
	size_t left, used;
	uint32_t code;

	if (!read_bytes(s, out))
		return false;
	p = (const unsigned char *)out->ptr;
	for (left = out->len; left; p += used, left -= used)
		if (utf8_read(p, left, &code, &used) != UTF8_OK || code == 0)
			return false;
	return true;
}

/* A property's value; numbers to @number, others to @text (of a pair, the second). */
static bool read_prop(struct slice *s, const struct prop *p, int64_t *number, struct slice *text)
{
	switch (p->type) {
	case P_FLAG: return read_uint(s, 1, number) && *number <= 1;
	case P_U16: return read_uint(s, 2, number) && (*number || !(p->flags & NOT_ZERO));
	case P_U32: return read_uint(s, 4, number) && (*number || !(p->flags & NOT_ZERO));
	case P_TEXT: return read_text(s, text);
	case P_BYTES: return read_bytes(s, text);
	default: return read_text(s, text) && read_text(s, text);
	}
}

/* A block of properties with its length, all of them allowed in @where, none twice. */
static bool read_props(struct slice *s, unsigned where, struct slice *out)
{
	uint64_t seen = 0;
	struct slice rest, text;
	int64_t number;
	size_t len;

	if (read_varint(s, &len) != VALID || len > s->len)
		return false;
	*out = rest = slice_make(s->ptr, len);
	s->ptr += len;
	s->len -= len;
	while (rest.len) {
		unsigned id = (unsigned char)rest.ptr[0];
		const struct prop *p = find_prop(id);

		rest.ptr++;
		rest.len--;
		if (!p || !(p->flags & where) || !read_prop(&rest, p, &number, &text))
			return false;
		if (seen >> id & 1 && !(p->flags & REPEATS))
			return false;
		seen |= 1ull << id;
	}
	return true;
}

static void set_number(struct packet *pk, enum field f, int64_t v)
{
	pk->numbers[f] = v;
	pk->has |= 1u << f;
}

static bool set_text(struct packet *pk, enum field f, struct slice *s)
{
	pk->has |= 1u << f;
	return read_text(s, &pk->texts[f]);
}

static bool set_bytes(struct packet *pk, enum field f, struct slice *s)
{
	pk->has |= 1u << f;
	return read_bytes(s, &pk->texts[f]);
}

/* --- packets --- */

static bool is_protocol(struct slice name, int64_t version)
{
	if (version == 3)
		return slice_eq(name, SLICE("MQIsdp"));
	return (version == 4 || version == 5) && slice_eq(name, SLICE("MQTT"));
}

static bool are_connect_flags(int64_t flags, int64_t version)
{
	if (flags & FLAG_RESERVED || (flags & FLAG_WILL_QOS) == FLAG_WILL_QOS)
		return false;
	if (!(flags & FLAG_WILL) && flags & FLAG_WILL_ALL)
		return false;
	return version == 5 || flags & FLAG_USER || !(flags & FLAG_PASSWORD);
}

/* 3.1 in MQTT 3.1, 3.1.1 and 5.0. */
static bool parse_connect(struct packet *pk, struct slice s)
{
	int64_t version, flags, keepalive;

	if (!set_text(pk, F_PROTOCOL_NAME, &s) || !read_uint(&s, 1, &version) ||
		!is_protocol(pk->texts[F_PROTOCOL_NAME], version) || !read_uint(&s, 1, &flags) ||
		!are_connect_flags(flags, version) || !read_uint(&s, 2, &keepalive))
		return false;
	set_number(pk, F_PROTOCOL_VERSION, version);
	set_number(pk, F_FLAGS, flags);
	set_number(pk, F_KEEPALIVE, keepalive);
	if (version == 5 && !read_props(&s, IN_CONNECT, &pk->props))
		return false;
	if (!set_text(pk, F_CLIENT_ID, &s))
		return false;
	if (flags & FLAG_WILL &&
		((version == 5 && !read_props(&s, IN_WILL, &pk->will_props)) ||
			!set_text(pk, F_WILL_TOPIC, &s) || !set_bytes(pk, F_WILL_PAYLOAD, &s)))
		return false;
	if (flags & FLAG_USER && !set_text(pk, F_USERNAME, &s))
		return false;
	if (flags & FLAG_PASSWORD && !set_bytes(pk, F_PASSWORD, &s))
		return false;
	return s.len == 0;
}

/* 3.2 in MQTT 3.1, 3.1.1 and 5.0; only 5.0 has more than two bytes. */
static bool parse_connack(struct packet *pk, struct slice s)
{
	int64_t flags, code;
	bool is_v5 = s.len > 2;

	if (!read_uint(&s, 1, &flags) || flags > 1 || !read_uint(&s, 1, &code))
		return false;
	set_number(pk, F_FLAGS, flags);
	set_number(pk, F_REASON_CODE, code);
	set_number(pk, F_PROTOCOL_VERSION, is_v5 ? 5 : 4);
	if (is_v5)
		return (code == 0 || code >= 0x80) && read_props(&s, IN_CONNACK, &pk->props) &&
		       s.len == 0;
	return code <= 5;
}

static enum verdict parse_packet(struct slice s, struct packet *pk)
{
	int64_t first;
	size_t len;
	enum verdict r;

	memset(pk, 0, sizeof(*pk));
	if (!read_uint(&s, 1, &first))
		return NEEDS_MORE;
	pk->type = (enum packet_type)(first >> 4);
	if (first & 15 || (pk->type != CONNECT && pk->type != CONNACK))
		return INVALID;
	r = read_varint(&s, &len);
	if (r != VALID)
		return r;
	if (len > s.len)
		return NEEDS_MORE;
	s.len = len;
	return (pk->type == CONNECT ? parse_connect(pk, s) : parse_connack(pk, s)) ? VALID
										   : INVALID;
}

/* --- converters --- */

CONV(mqtt_is_valid)
{
	struct packet pk;
	enum verdict r = parse_packet(smp->str, &pk);

	smp_set_bool(smp, r == VALID);
	return smp_set_final(smp, r != NEEDS_MORE);
}

static bool give_number(struct sample *smp, int64_t v)
{
	smp_set_int(smp, v);
	return smp_to_str(smp);
}

static bool give_text(struct sample *smp, struct slice s)
{
	smp_set_str(smp, SMP_STR, s);
	return true;
}

/* The block has been checked. */
static bool give_prop(struct sample *smp, struct slice block, unsigned id)
{
	while (block.len) {
		const struct prop *p = find_prop((unsigned char)*block.ptr++);
		struct slice text = SLICE_NULL;
		int64_t number = 0;

		block.len--;
		if (!p || !read_prop(&block, p, &number, &text))
			return false;
		if (p->id == id)
			return p->type <= P_U32 ? give_number(smp, number) : give_text(smp, text);
	}
	return false;
}

CONV(mqtt_field_value)
{
	const struct query *q = priv;
	struct packet pk;
	enum verdict r = parse_packet(smp->str, &pk);

	smp_set_final(smp, r != NEEDS_MORE);
	if (r != VALID || pk.type != q->type)
		return false;
	if (q->is_property)
		return give_prop(smp, pk.props, q->property) ||
		       give_prop(smp, pk.will_props, q->property);
	if (!(pk.has >> q->field & 1))
		return false;
	return pk.texts[q->field].ptr ? give_text(smp, pk.texts[q->field])
				      : give_number(smp, pk.numbers[q->field]);
}

/* --- arguments --- */

static const struct {
	const char *name;
	unsigned in;
} fields[N_FIELDS] = {
	[F_FLAGS] = { "flags", IN_CONNECT | IN_CONNACK },
	[F_PROTOCOL_NAME] = { "protocol_name", IN_CONNECT },
	[F_PROTOCOL_VERSION] = { "protocol_version", IN_CONNECT | IN_CONNACK },
	[F_CLIENT_ID] = { "client_identifier", IN_CONNECT },
	[F_WILL_TOPIC] = { "will_topic", IN_CONNECT },
	[F_WILL_PAYLOAD] = { "will_payload", IN_CONNECT },
	[F_USERNAME] = { "username", IN_CONNECT },
	[F_PASSWORD] = { "password", IN_CONNECT },
	[F_KEEPALIVE] = { "keepalive", IN_CONNECT },
	[F_REASON_CODE] = { "reason_code", IN_CONNACK },
};

static int parse_type(struct slice text, struct query *q, struct arena *a, const char **err)
{
	uint64_t v = 0;

	if (str_parse_uint(text, &v) != 0)
		v = slice_ieq(text, SLICE("connect"))   ? CONNECT
		    : slice_ieq(text, SLICE("connack")) ? CONNACK
							: 0;
	q->type = (enum packet_type)v;
	if (v == CONNECT || v == CONNACK)
		return 0;
	*err = arena_printf(a,
		"expected the type 'connect' or 'connack', or its number, got '%.*s'",
		SLICE_ARG(text));
	return -1;
}

static int parse_property(uint64_t id, struct query *q, struct arena *a, const char **err)
{
	unsigned in = q->type == CONNECT ? IN_CONNECT | IN_WILL : IN_CONNACK;
	const struct prop *p = id <= UINT8_MAX ? find_prop((unsigned)id) : NULL;

	q->is_property = true;
	q->property = (uint8_t)id;
	if (p && p->type == P_PAIR) {
		*err = "user properties (38) are pairs of which there may be many; they cannot be "
		       "read";
		return -1;
	}
	if (p && p->flags & in)
		return 0;
	*err = arena_printf(a, "%s has no property %llu",
		q->type == CONNECT ? "connect" : "connack", (unsigned long long)id);
	return -1;
}

static int parse_field(struct slice text, struct query *q, struct arena *a, const char **err)
{
	unsigned in = q->type == CONNECT ? IN_CONNECT : IN_CONNACK, best = STR_FAR;
	const char *near = NULL;
	uint64_t id;

	if (str_parse_uint(text, &id) == 0)
		return parse_property(id, q, a, err);
	for (unsigned i = 0; i < N_FIELDS; i++) {
		struct slice name = slice_of(fields[i].name);

		if (!(fields[i].in & in))
			continue;
		q->field = (enum field)i;
		if (slice_ieq(text, name))
			return 0;
		if (str_is_nearer(text, name, &best))
			near = fields[i].name;
	}
	*err = arena_printf(a, "%s has no field '%.*s'%s%s%s",
		q->type == CONNECT ? "connect" : "connack", SLICE_ARG(text),
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return -1;
}

static int check_mqtt(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct query *q = ARENA_NEW(a, struct query);

	*priv_out = q;
	*err = "out of memory";
	if (!q || parse_type(args[0].str, q, a, err) != 0)
		return arg_refuse(&args[0]);
	return parse_field(args[1].str, q, a, err) == 0 ? 0 : arg_refuse(&args[1]);
}

/* clang-format off */
static const struct conv_kw mqtt_convs[] = {
	{ .name = "mqtt_field_value", .in = SMP_BIN, .out = SMP_STR, .args = { ARG_STR, ARG_STR },
	  .min_args = 2, .check = check_mqtt, .conv = conv_mqtt_field_value,
	  .help = "a field, or a property by its number, of an MQTT CONNECT or CONNACK packet" },
	{ .name = "mqtt_is_valid", .in = SMP_BIN, .out = SMP_BOOL, .conv = conv_mqtt_is_valid,
	  .help = "whether a payload begins with a valid MQTT CONNECT or CONNACK packet" },
};
LB_REGISTER_CONV(mqtt_convs);
/* clang-format on */
