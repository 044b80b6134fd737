/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches about TLS, for connections that have none: every connection is in clear text.
 *
 * 'option httpslog' and rules such as 'redirect scheme https unless { ssl_fc }' ask about them in
 * files that serve either kind. Yes-or-no questions are answered with no, others have no answer.
 */
#include <lb/sample/sample.h>

static bool fetch_no(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_BOOL;
	smp->sint = 0;
	return true;
}

static bool fetch_nothing(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return false;
}

/* clang-format off */
#define CLEAR(name_, type_, fn_, help_)                                                            \
	{ .name = name_, .out = type_, .need = SMP_NEED_L5_CLIENT, .fetch = fn_, .help = help_ }

static const struct fetch_kw tls_fetches[] = {
	CLEAR("ssl_c_ca_err", SMP_SINT, fetch_nothing, "error of a client certificate's issuer; there is none"),
	CLEAR("ssl_c_err", SMP_SINT, fetch_nothing, "error of a client certificate; there is none"),
	CLEAR("ssl_c_used", SMP_BOOL, fetch_nothing, "whether the client showed a certificate; there is no TLS"),
	CLEAR("ssl_fc", SMP_BOOL, fetch_no, "whether the client's connection is encrypted by lb: no"),
	CLEAR("ssl_fc_cipher", SMP_STR, fetch_nothing, "cipher of the client's connection; it has none"),
	CLEAR("ssl_fc_err", SMP_SINT, fetch_nothing, "error of the client's handshake; there is none"),
	CLEAR("ssl_fc_err_str", SMP_STR, fetch_nothing, "the same in words"),
	CLEAR("ssl_fc_has_crt", SMP_BOOL, fetch_nothing, "the same, of this connection; there is no TLS"),
	CLEAR("ssl_fc_has_sni", SMP_BOOL, fetch_no, "whether the client named a server in its handshake: no"),
	CLEAR("ssl_fc_is_resumed", SMP_BOOL, fetch_no, "whether the client's session was resumed: no"),
	CLEAR("ssl_fc_protocol", SMP_STR, fetch_nothing, "TLS version of the client's connection; it has none"),
	CLEAR("ssl_fc_sni", SMP_STR, fetch_nothing, "server name in the client's handshake; there is none"),
	{ .name = "ssl_bc", .out = SMP_BOOL, .need = SMP_NEED_L4_SERVER, .fetch = fetch_no,
	  .help = "whether the server's connection is encrypted by lb: no" },
};
LB_REGISTER_FETCH(tls_fetches);
/* clang-format on */
