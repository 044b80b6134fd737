/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log-forward sections: a frontend (struct proxy, in mode log) whose connections and datagrams
 * carry syslog messages, which go to its log targets. In the generation's arena.
 */
#ifndef LB_PROXY_LOG_FORWARD_H
#define LB_PROXY_LOG_FORWARD_H

#include <lb/net/dgram.h>
#include <lb/observe/syslog.h>
#include <lb/proxy/config.h>

struct log_forward {
	enum syslog_host host;
	bool only_lines; /* option assume-rfc6587-ntf */
	bool is_raw;     /* option dont-parse-log */
	struct dgram_conf **dgrams;
	unsigned n_dgrams;
};

#endif
