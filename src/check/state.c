/* SPDX-License-Identifier: Apache-2.0 */
/* http-check send-state: how lb sees the server, told to the server. */
#include "check_priv.h"

#include <unistd.h>

static const char *node_name(void)
{
	static char name[256]; /* [control] */

	if (!name[0] && gethostname(name, sizeof(name) - 1) < 0)
		return "lb";
	return name;
}

void check_put_state(const struct server *s, struct strbuf *sb)
{
	const struct srv_addr *sa = atomic_load(&s->addr);
	const struct server_set *set = atomic_load(&s->be->set);
	char text[ADDR_STRLEN];

	strbuf_adds(sb, server_status_text(s, text, sizeof(text)));
	if (sa->addr.family == AF_UNIX)
		strbuf_adds(sb, "; address=unix; port=unix");
	else
		strbuf_printf(sb, "; address=%s; port=%u", addr_put(&sa->addr, text, sizeof(text)),
			sa->addr.port);
	strbuf_printf(sb, "; name=%s/%s; node=%s; weight=%u/%u; scur=%u/%u; qcur=%u", s->be->name,
		s->name, node_name(), server_weight_now(s), set ? (set->total_weight + 15) / 16 : 0,
		atomic_load(&s->n_active), atomic_load(&s->be->n_served),
		atomic_load(&s->n_queued));
}
