/* SPDX-License-Identifier: Apache-2.0 */
/* The log line of each frontend: its log-format, else the built-in one that its log option names.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#define HTTPLOG                                                                                \
	"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc " \
	"%sq/%bq %hr %hs %{+Q}r"

static const char *const builtin_texts[] = {
	[PO_TCPLOG - PO_TCPLOG] =
		"%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq",
	[PO_HTTPLOG - PO_TCPLOG] = HTTPLOG,
	[PO_HTTPLOG_CLF - PO_TCPLOG] = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft "
				       "%b %s %TR %Tw %Tc %Tr %Ta "
				       "%tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl",
	[PO_TCPLOG_CLF - PO_TCPLOG] =
		"%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft "
		"%b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq "
		"\"\" \"\" ",
	[PO_HTTPSLOG - PO_TCPLOG] = HTTPLOG
	" %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] "
	"%[ssl_fc_sni]/%sslv/%sslc",
};

/* Compiled once per generation. NULL: reported. */
static struct logformat *builtin(struct cfg_parser *p, enum proxy_opt opt)
{
	struct logformat **slot = &p->config->index->builtin_logs[opt - PO_TCPLOG];

	if (!*slot)
		*slot = logformat_parse_text(
			p, builtin_texts[opt - PO_TCPLOG], LF_LOG | LF_MANDATORY, SMP_W_LOG);
	return *slot;
}

static bool option_of(const struct proxy *px, enum proxy_opt *out)
{
	for (int o = PO_TCPLOG; o <= PO_HTTPSLOG; o++) {
		if (px_opt(px, (enum proxy_opt)o)) {
			*out = (enum proxy_opt)o;
			return true;
		}
	}
	return false;
}

int resolve_logs(struct cfg_parser *p, struct proxy *px)
{
	enum proxy_opt opt;

	if (log_resolve(p, &px->log) < 0)
		return -1;
	if (!px_is_fe(px) || px->log_format || !option_of(px, &opt))
		return 0;
	if (!px->speaks_http && opt != PO_TCPLOG && opt != PO_TCPLOG_CLF) {
		if (px->options_set & (1ull << opt))
			cfg_warn_line(p, px->line, NULL,
				"%s '%s' is in mode tcp, where its HTTP log line has nothing to "
				"say: "
				"'option tcplog' is used instead",
				px_kind(px), px->name);
		opt = PO_TCPLOG;
	}
	px->log_format = builtin(p, opt);
	return px->log_format ? 0 : -1;
}
