/* SPDX-License-Identifier: Apache-2.0 */
/* 'show errors': the last malformed request and response of each proxy, byte by byte. */
#include <lb/core/encode.h>
#include <lb/observe/command.h>
#include <lb/proxy/config.h>
#include <lb/stream/log.h>

#include <stdlib.h>

#define LINE_WIDTH 80u

struct show_errors {
	int64_t id;        /* of the proxy; -1: any */
	int8_t directions; /* bit 0 requests, bit 1 responses */
	struct strbuf *out;
};

/* One byte as it is shown. Return: characters at @dst[5]. */
static unsigned put_byte(char *dst, unsigned char c)
{
	static const char from[] = "\t\n\r\033\\", to[] = "tnre\\";
	const char *at = c ? strchr(from, c) : NULL;

	if (c >= 0x20 && c < 0x7f && c != '\\') {
		dst[0] = (char)c;
		return 1;
	}
	dst[0] = '\\';
	if (at) {
		dst[1] = to[at - from];
		return 2;
	}
	dst[1] = 'x';
	hex_put(dst + 2, c);
	return 4;
}

/* From offset @pos to the end of the line or of the room. @line: where this line of the message
 * began. */
static uint32_t put_line(
	struct strbuf *out, const struct kept_error *e, uint32_t pos, uint32_t line)
{
	unsigned width, n;
	char text[5];

	strbuf_printf(out, "  %05u%c ", pos, pos == line ? ' ' : '+');
	for (width = 9; pos < e->len; pos++) {
		n = put_byte(text, (unsigned char)e->data[pos]);
		if (width + n >= LINE_WIDTH)
			break;
		strbuf_add(out, text, n);
		width += n;
		if (e->data[pos] == '\n') {
			pos++;
			break;
		}
	}
	strbuf_addc(out, '\n');
	return pos;
}

static void put_message(struct strbuf *out, const struct kept_error *e)
{
	uint32_t pos = 0, line = 0;

	while (pos < e->len) {
		pos = put_line(out, e, pos, line);
		if (e->data[pos - 1] == '\n')
			line = pos;
	}
}

static void put_error(const struct kept_error *e, void *arg)
{
	const struct show_errors *se = arg;
	struct strbuf *out = se->out;
	char date[32];

	if ((se->id >= 0 && se->id != e->proxy_id) || !(se->directions >> e->is_response & 1))
		return;
	strbuf_printf(out, " \n[%s] %s %s (#%u): invalid %s\n", log_date_ms(date, e->wall_us),
		e->is_response ? "backend" : "frontend", e->proxy, e->proxy_id,
		e->is_response ? "response" : "request");
	strbuf_printf(out, "  %s %s (#%d), server %s (#%d), event #%llu, src %s\n",
		e->is_response ? "frontend" : "backend", e->other ? e->other : "<NONE>",
		e->other ? (int)e->other_id : -1, e->server ? e->server : "<NONE>",
		e->server ? (int)e->server_id : -1, (unsigned long long)e->number,
		e->src ? e->src : "<unknown>");
	strbuf_printf(out, "  buffer starts at 0 (including 0 out), %u free,\n",
		buf_size() > e->len ? buf_size() - e->len : 0);
	strbuf_printf(
		out, "  len %u, wraps at %u, error at position %u\n", e->len, buf_size(), e->pos);
	strbuf_printf(out, "  reason: %s\n  \n", e->why ? e->why : "malformed message");
	put_message(out, e);
}

static int find_proxy_id(struct slice name, int64_t *id_out)
{
	const struct config *c = atomic_load(&lb_config);

	for (unsigned i = 0; c && i < c->n_proxies; i++)
		if (slice_eq(name, slice_of(c->proxies[i]->name))) {
			*id_out = c->proxies[i]->id;
			return 0;
		}
	return -1;
}

static void run_show_errors(struct cmd_ctx *c)
{
	struct show_errors se = { .id = -1, .directions = 3, .out = c->out };
	char date[32];

	if (c->n_args && str_parse_int(c->args[0], &se.id) && find_proxy_id(c->args[0], &se.id)) {
		cmd_err(c, "No such proxy.");
		return;
	}
	if (c->n_args > 1 && slice_eq(c->args[1], SLICE("request")))
		se.directions = 1;
	else if (c->n_args > 1 && slice_eq(c->args[1], SLICE("response")))
		se.directions = 2;
	strbuf_printf(c->out, "Total events captured on [%s] : %llu\n",
		log_date_ms(date, wall_us()), (unsigned long long)errors_count());
	errors_foreach(put_error, &se);
}

static const struct cmd_kw errors_cmds[] = {
	{ { "show", "errors" }, CMD_OPERATOR, 0, run_show_errors, NULL, NULL,
		"show errors [<px>] [request|response]",
		"last malformed request and response of each proxy" },
};
LB_REGISTER_CMD(errors_cmds);
