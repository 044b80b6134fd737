/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log-profile sections: for the targets that name one, what a line says at each step of a session's
 * life, or that there is none. Immutable, in the generation's arena.
 */
#ifndef LB_PROXY_LOG_PROFILE_H
#define LB_PROXY_LOG_PROFILE_H

#include <lb/proxy/config.h>

enum log_step { /* when a line may be written; 'log-steps' names those before LOG_STEP_DO */
	LOG_STEP_ACCEPT,
	LOG_STEP_REQUEST,
	LOG_STEP_CONNECT,
	LOG_STEP_RESPONSE,
	LOG_STEP_CLOSE,
	LOG_STEP_ERROR,
	LOG_STEP_DO, /* + enum ruleset: a do-log action */
	LOG_N_STEPS = LOG_STEP_DO + RS_COUNT
};

struct log_step_conf { /* 'on <step>' */
	bool is_given, is_dropped;
	struct logformat *format, *sd; /* NULL: the proxy's */
};

struct log_profile {
	struct list node;
	const char *name;
	const char *tag; /* NULL: the section's */
	const struct cfg_line *line;
	struct log_step_conf steps[LOG_N_STEPS];
	struct log_step_conf any; /* for steps that are not given */
};

/* What @profile says about @step; NULL: nothing. */
const struct log_step_conf *log_profile_step(const struct log_profile *profile, enum log_step step);
const char *log_step_origin(enum log_step step); /* as %OG tells it: "txn_accept", "http-req" */
/* @to is set to the section of that name when all files are read. 0 or -1 (reported). */
int log_profile_refer(
	struct cfg_parser *p, const struct cfg_word *name, const struct log_profile **to);
int log_profiles_resolve(struct cfg_parser *p); /* 0 or -1 (reported) */
/* 'log-steps': a bit for each step. 0 or -1 (reported). */
int log_steps_parse(struct cfg_parser *p, struct cfg_args *args, uint32_t *out);

#endif
