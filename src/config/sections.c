/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of the language that no module of this program builds: refused by name, each with its
 * reason. */
#include <lb/config/cfg.h>

#define REFUSED(var, name_, scope_, usage_, why)                                             \
	static const struct cfg_section var##_section = {                                    \
		.name = name_, .scope = scope_, .usage = usage_, .help = why, .refused = why \
	};                                                                                   \
	LB_REGISTER_SECTION(var##_section)

REFUSED(peers, "peers", CFG_PEERS, "peers <name>",
	"stick tables and their exchange between processes are not available; remove the section");
REFUSED(mailers, "mailers", CFG_MAILERS, "mailers <name>",
	"lb sends no mail; let the monitoring read the log or the metrics");
REFUSED(resolvers, "resolvers", CFG_RESOLVERS, "resolvers <name>",
	"names are resolved once, when the configuration is loaded; reload to look them up again");
REFUSED(cache, "cache", CFG_CACHE, "cache <name>", "lb stores no responses; remove the section");
REFUSED(fcgi_app, "fcgi-app", CFG_MAILERS, "fcgi-app <name>",
	"lb speaks HTTP to its servers; put a web server before the FastCGI application");
REFUSED(crt_store, "crt-store", CFG_CRT_STORE, "crt-store [<name>]",
	"lb does not speak TLS on its own yet; remove the section");
REFUSED(crt_list, "crt-list", CFG_CRT_LIST, "crt-list <name>",
	"lb does not speak TLS on its own yet; remove the section");
REFUSED(acme, "acme", CFG_ACME, "acme <name>",
	"lb does not speak TLS on its own yet; obtain certificates with an ACME client");
REFUSED(traces, "traces", CFG_TRACES, "traces",
	"there are no trace sources; use the log and the admin socket");
REFUSED(healthcheck, "healthcheck", CFG_HTTP_CHECK, "healthcheck <name>",
	"describe the check in the backend with 'option httpchk' and 'http-check'");
REFUSED(program, "program", CFG_MAILERS, "program <name>",
	"it was removed from the language; start the program from the service manager");
