/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches and converters of the language that nothing here implements: each is refused by its name
 * and with the reason, so that it is told apart from a misspelt one.
 */
#include "sample_priv.h"

struct refused {
	const char *prefixes; /* separated by blanks */
	const char *names;    /* what follows the prefix, likewise */
	const char *why;
};

static const struct refused fetches[] = {
	{ "ssl_bc_ ssl_fc_",
		"alg_keysize alpn cipher client_early_traffic_secret "
		"client_handshake_traffic_secret client_random client_traffic_secret_0 curve "
		"early_exporter_secret err err_str exporter_secret is_resumed npn protocol "
		"server_handshake_traffic_secret server_random server_traffic_secret_0 session_id "
		"session_key sni unique_id use_keysize cipherlist_bin cipherlist_hex "
		"cipherlist_str cipherlist_xxh crtname early_rcvd ecformats_bin eclist_bin "
		"extlist_bin has_early protocol_hello_id sigalgs_bin supported_versions_bin",
		"TLS is not supported yet" },
	{ "ssl_c_ ssl_f_ ssl_s_",
		"ca_err_depth chain_der der i_dn key_alg notafter notbefore policies r_dn s_dn "
		"san serial sha1 sig_alg verify version",
		"TLS is not supported yet" },
	{ "sc_ sc0_ sc1_ sc2_ src_",
		"bytes_in_rate bytes_out_rate clr_gpc clr_gpc0 clr_gpc1 conn_cnt conn_cur "
		"conn_rate get_gpc get_gpc0 get_gpc1 get_gpt get_gpt0 glitch_cnt glitch_rate "
		"gpc0_rate gpc1_rate gpc_rate http_err_cnt http_err_rate http_fail_cnt "
		"http_fail_rate http_req_cnt http_req_rate inc_gpc inc_gpc0 inc_gpc1 kbytes_in "
		"kbytes_out key sess_cnt sess_rate tracked trackers updt_conn_cnt",
		"stick tables are not supported yet" },
	{ "table_", "avl cnt", "stick tables are not supported yet" },
	{ "res.", "cache_hit cache_name", "the cache is not supported yet" },
	{ "res.", "comp comp_algo", "compression is not supported yet" },
	{ "fcgi.", "docroot index", "FastCGI is not supported yet" },
	{ "spoe.", "engine-id", "SPOE is not supported yet" },
	{ "internal.htx.", "data free free_data has_eom nbblks size used",
		"it describes buffers of HAProxy that lb does not have" },
	{ "internal.htx_blk.", "data hdrname hdrval size start_line type",
		"it describes buffers of HAProxy that lb does not have" },
	{ "internal.strm.", "is_htx", "it describes buffers of HAProxy that lb does not have" },
};

static const struct refused converters[] = {
	{ "table_",
		"bytes_in_rate bytes_out_rate clr_gpc clr_gpc0 clr_gpc1 conn_cnt conn_cur "
		"conn_rate expire glitch_cnt glitch_rate gpc gpc0 gpc0_rate gpc1 gpc1_rate "
		"gpc_rate gpt gpt0 http_err_cnt http_err_rate http_fail_cnt http_fail_rate "
		"http_req_cnt http_req_rate idle inc_gpc inc_gpc0 inc_gpc1 kbytes_in kbytes_out "
		"server_id sess_cnt sess_rate trackers",
		"stick tables are not supported yet" },
	{ "in_", "table", "stick tables are not supported yet" },
	{ "jwt_", "verify_cert",
		"the store of certificates comes with TLS; 'jwt_verify' takes files" },
	{ "jwt_", "decrypt_cert",
		"the store of certificates comes with TLS; 'jwt_decrypt_jwk' takes keys in "
		"files" },
};

/* Cuts the next word off a list. false: there is none. */
static bool next_word(const char **list, struct slice *out)
{
	*out = slice_make(*list, strcspn(*list, " "));
	*list += out->len + ((*list)[out->len] != '\0');
	return out->len != 0;
}

static bool is_listed(const char *list, struct slice name)
{
	struct slice word;

	while (next_word(&list, &word))
		if (slice_eq(word, name))
			return true;
	return false;
}

static const char *find_reason(const struct refused *r, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++) {
		const char *prefixes = r[i].prefixes;
		struct slice prefix;

		while (next_word(&prefixes, &prefix))
			if (slice_starts(name, prefix) &&
				is_listed(r[i].names,
					slice_make(name.ptr + prefix.len, name.len - prefix.len)))
				return r[i].why;
	}
	return NULL;
}

const char *fetch_refusal(struct slice name)
{
	return find_reason(fetches, LB_ARRAY_LEN(fetches), name);
}

const char *conv_refusal(struct slice name)
{
	return find_reason(converters, LB_ARRAY_LEN(converters), name);
}
