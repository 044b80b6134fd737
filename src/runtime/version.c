/* SPDX-License-Identifier: Apache-2.0 */
/* -v and -vv: what this program is and how it was built. */
#include "process_priv.h"

#include <lb/config/version.h>
#include <lb/stream/filter.h>

#include <openssl/crypto.h>
#include <stdio.h>

static void print_features(void)
{
	fputs("\nFeature list :", stdout);
	for (unsigned i = 0; i < cfg_n_features; i++)
		printf(" %c%s", cfg_features[i].is_present ? '+' : '-', cfg_features[i].name);
	puts("\n");
}

static void print_filter(const struct filter_ops *ops, void *arg)
{
	printf(" %s", ops->name);
}

static void print_build(void)
{
	struct tune t;

	tune_set_defaults(&t);
#ifdef __clang__
	printf("Built with clang %s", __clang_version__);
#else
	printf("Built with gcc %s", __VERSION__);
#endif
	puts(
#ifdef __SANITIZE_ADDRESS__
		", address sanitizer"
#endif
		".");
	print_features();
	printf("Default settings : bufsize = %u, maxrewrite = %u, maxpollevents = %u\n", t.bufsize,
		t.maxrewrite, t.max_poll_events);
	printf("Threads : at most %d, by default %u.\n", LB_MAX_THREADS, t.nbthread);
	printf("OpenSSL : built with %s, running on %s.\n", OPENSSL_VERSION_TEXT,
		OpenSSL_version(OPENSSL_VERSION));
	puts("Pollers : epoll.\nMuxes : h1, raw.\nServices : prometheus-exporter.");
	fputs("Filters :", stdout);
	filter_foreach(print_filter, NULL);
	putchar('\n');
}

void version_print(bool is_long, const char *quiet)
{
	if (quiet) {
		puts(strcmp(quiet, "qb") == 0 ? LB_LANGUAGE : LB_VERSION);
		return;
	}
	printf("lb version %s %s\n", LB_VERSION, LB_RELEASE_DATE);
	printf("Language level: HAProxy %s\n", LB_LANGUAGE);
	if (is_long)
		print_build();
}
