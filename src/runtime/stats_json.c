/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of statistics and of process information as JSON, and the schema that describes them. */
#include "stats_priv.h"

static void put_string(struct strbuf *out, const char *s)
{
	strbuf_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			strbuf_addc(out, '\\');
			strbuf_addc(out, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			/* bytes beyond ASCII have no known encoding: as Latin-1 */
			strbuf_printf(out, "\\u%04x", c);
		} else {
			strbuf_addc(out, (char)c);
		}
	}
	strbuf_addc(out, '"');
}

static const char *origin(char c)
{
	switch (c) {
	case 'M': return "Metric";
	case 'S': return "Status";
	case 'K': return "Key";
	case 'C': return "Config";
	case 'P': return "Product";
	default: return "Unknown";
	}
}

static const char *nature(char c)
{
	switch (c) {
	case 'G': return "Gauge";
	case 'L': return "Limit";
	case 'm': return "Min";
	case 'M': return "Max";
	case 'R': return "Rate";
	case 'C': return "Counter";
	case 'D': return "Duration";
	case 'A': return "Age";
	case 'T': return "Time";
	case 'N': return "Name";
	case 'O': return "Output";
	case 'a': return "Avg";
	default: return "Unknown";
	}
}

static const char *scope(char c)
{
	switch (c) {
	case 'C': return "Cluster";
	case 'P': return "Process";
	case 'S': return "Service";
	case 's': return "System";
	default: return "Unknown";
	}
}

/* From "field" to the end of the object. */
static void put_item(struct strbuf *out, unsigned pos, const char *name, const char *tags,
	const struct stat_value *v)
{
	static const char *const types[] = { "", "u32", "s32", "u64", "str" };

	strbuf_printf(out,
		"\"field\":{\"pos\":%u,\"name\":\"%s\"},\"processNum\":1,"
		"\"tags\":{\"origin\":\"%s\",\"nature\":\"%s\",\"scope\":\"%s\"},"
		"\"value\":{\"type\":\"%s\",\"value\":",
		pos, name, origin(tags[0]), nature(tags[1]), scope(tags[2]), types[v->type]);
	if (v->type == STAT_STR)
		put_string(out, v->s);
	else if (v->type == STAT_S32)
		strbuf_add_int(out, v->i);
	else
		strbuf_add_uint(out, v->u);
	strbuf_adds(out, "}}");
}

void stat_put_json(struct strbuf *out, const struct stat_row *r, bool is_first)
{
	static const char *const objs[] = { "Frontend", "Backend", "Server", "Listener" };
	bool has_one = false;

	strbuf_adds(out, is_first ? "[" : ",[");
	for (unsigned i = 0; i < ST_N; i++) {
		if (r->v[i].type == STAT_EMPTY)
			continue;
		strbuf_printf(out, "%s{\"objType\":\"%s\",\"proxyId\":%u,\"id\":%u,",
			has_one ? "," : "", objs[r->obj], (unsigned)r->v[ST_IID].u,
			(unsigned)r->v[ST_SID].u);
		put_item(out, i, stat_columns[i].name, stat_tags(r, i), &r->v[i]);
		has_one = true;
	}
	strbuf_addc(out, ']');
}

void info_put_json(struct strbuf *out, const struct info_row *r)
{
	bool has_one = false;

	strbuf_addc(out, '[');
	for (unsigned i = 0; i < INFO_N; i++) {
		if (r->v[i].type == STAT_EMPTY)
			continue;
		strbuf_adds(out, has_one ? ",{" : "{");
		put_item(out, info_columns[i].pos, info_columns[i].name, info_columns[i].tags,
			&r->v[i]);
		has_one = true;
	}
	strbuf_adds(out, "]\n");
}

/* --- the schema --- */

/* With ' for ", so that it can be read. */
/* clang-format off */
static const char schema[] =
"{'$schema':'http://json-schema.org/draft-04/schema#','oneOf':["
	"{'title':'Info','type':'array','items':{'title':'InfoItem','type':'object','properties':{"
		"'field':{'$ref':'#/definitions/field'},"
		"'processNum':{'$ref':'#/definitions/processNum'},"
		"'tags':{'$ref':'#/definitions/tags'},"
		"'value':{'$ref':'#/definitions/typedValue'}},"
		"'required':['field','processNum','tags','value']}},"
	"{'title':'Stat','type':'array','items':{'title':'StatRow','type':'array',"
		"'items':{'title':'StatItem','type':'object','properties':{"
		"'objType':{'type':'string',"
			"'enum':['Frontend','Backend','Listener','Server','Unknown']},"
		"'proxyId':{'type':'integer','minimum':0},"
		"'id':{'type':'integer','minimum':0},"
		"'field':{'$ref':'#/definitions/field'},"
		"'processNum':{'$ref':'#/definitions/processNum'},"
		"'tags':{'$ref':'#/definitions/tags'},"
		"'value':{'$ref':'#/definitions/typedValue'}},"
		"'required':['objType','proxyId','id','field','processNum','tags','value']}}},"
	"{'title':'Error','type':'object','properties':{'errorStr':{'type':'string'}},"
		"'required':['errorStr']}],"
"'definitions':{"
	"'field':{'type':'object','properties':{"
		"'pos':{'type':'integer','minimum':0},'name':{'type':'string'}},"
		"'required':['pos','name']},"
	"'processNum':{'type':'integer','minimum':1},"
	"'tags':{'type':'object','properties':{"
		"'origin':{'type':'string',"
			"'enum':['Metric','Status','Key','Config','Product','Unknown']},"
		"'nature':{'type':'string','enum':['Gauge','Limit','Min','Max','Rate','Counter',"
			"'Duration','Age','Time','Name','Output','Avg','Unknown']},"
		"'scope':{'type':'string','enum':['Cluster','Process','Service','System','Unknown']}},"
		"'required':['origin','nature','scope']},"
	"'typedValue':{'oneOf':["
		"{'type':'object','properties':{'type':{'enum':['u32']},"
			"'value':{'type':'integer','minimum':0,'maximum':4294967295}},"
			"'required':['type','value']},"
		"{'type':'object','properties':{'type':{'enum':['s32']},"
			"'value':{'type':'integer','minimum':-2147483648,'maximum':2147483647}},"
			"'required':['type','value']},"
		"{'type':'object','properties':{'type':{'enum':['u64']},"
			"'value':{'type':'integer','minimum':0}},"
			"'required':['type','value']},"
		"{'type':'object','properties':{'type':{'enum':['str']},"
			"'value':{'type':'string'}},"
			"'required':['type','value']}]}}}\n";
/* clang-format on */

void stat_put_schema(struct strbuf *out)
{
	for (const char *c = schema; *c; c++)
		strbuf_addc(out, *c == '\'' ? '"' : *c);
}
