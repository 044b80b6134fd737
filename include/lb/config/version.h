/* SPDX-License-Identifier: Apache-2.0 */
/* What this program claims to be: its version, the level of the language, and its features. */
#ifndef LB_CONFIG_VERSION_H
#define LB_CONFIG_VERSION_H

#include <lb/core/slice.h>

#define LB_LANGUAGE     "3.5" /* the language level that version_atleast() compares with */
#define LB_RELEASE_DATE "2026/11/21"

struct cfg_feature {
	const char *name;
	bool is_present;
};

extern const struct cfg_feature cfg_features[];
extern const unsigned cfg_n_features;

/* As printed by -vv and asked by feature(): upper case, without a sign. */
bool cfg_has_feature(struct slice name);
/* enabled(): a facility that can be switched off at start. */
bool cfg_is_enabled(struct slice name);
/* Compares "3.5-dev2", "2.6.12-1"... with the language level: negative when the level is older. */
int cfg_version_cmp(struct slice version);
/* The same for the OpenSSL in use ("3.0.2", "1.1.1f"). */
int cfg_openssl_cmp(struct slice version);

#endif
