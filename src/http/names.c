/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Well-known words of HTTP: field names, methods, reason phrases, and the classes of characters.
 *
 * All tables are constant but for the name index, which is filled before main() and then only read.
 */
#include <lb/http/msg.h>

#include "names_priv.h"

const struct http_known_name http_known_names[HDR_N] = {
#define X(id, str) [HDR_##id] = { str, sizeof(str) - 1 },
	HTTP_NAMES(X)
#undef X
};

uint8_t http_name_index[HTTP_NAME_SLOTS];

/* clang-format off */
#define UPPER(c) [c] = (c) + 32
#define LOWER(c) [c] = (c)
const uint8_t http_token_lower[256] = {
	UPPER('A'), UPPER('B'), UPPER('C'), UPPER('D'), UPPER('E'), UPPER('F'), UPPER('G'),
	UPPER('H'), UPPER('I'), UPPER('J'), UPPER('K'), UPPER('L'), UPPER('M'), UPPER('N'),
	UPPER('O'), UPPER('P'), UPPER('Q'), UPPER('R'), UPPER('S'), UPPER('T'), UPPER('U'),
	UPPER('V'), UPPER('W'), UPPER('X'), UPPER('Y'), UPPER('Z'),
	LOWER('a'), LOWER('b'), LOWER('c'), LOWER('d'), LOWER('e'), LOWER('f'), LOWER('g'),
	LOWER('h'), LOWER('i'), LOWER('j'), LOWER('k'), LOWER('l'), LOWER('m'), LOWER('n'),
	LOWER('o'), LOWER('p'), LOWER('q'), LOWER('r'), LOWER('s'), LOWER('t'), LOWER('u'),
	LOWER('v'), LOWER('w'), LOWER('x'), LOWER('y'), LOWER('z'),
	LOWER('0'), LOWER('1'), LOWER('2'), LOWER('3'), LOWER('4'), LOWER('5'), LOWER('6'),
	LOWER('7'), LOWER('8'), LOWER('9'),
	LOWER('!'), LOWER('#'), LOWER('$'), LOWER('%'), LOWER('&'), LOWER('\''), LOWER('*'),
	LOWER('+'), LOWER('-'), LOWER('.'), LOWER('^'), LOWER('_'), LOWER('`'), LOWER('|'),
	LOWER('~'),
};
#undef UPPER
#undef LOWER

/* RFC 3986 3.2.2: unreserved, percent, sub-delims; and ':', '[', ']' for ports and IPv6 */
const uint8_t http_host_char[256] = {
	['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1, ['-'] = 1, ['.'] = 1, ['_'] = 1,
	['~'] = 1, ['%'] = 1, ['!'] = 1, ['$'] = 1, ['&'] = 1, ['\''] = 1, ['('] = 1, [')'] = 1,
	['*'] = 1, ['+'] = 1, [','] = 1, [';'] = 1, ['='] = 1, [':'] = 1, ['['] = 1, [']'] = 1,
};

static const struct slice method_names[METH_OTHER + 1] = {
	[METH_OPTIONS] = { "OPTIONS", 7 }, [METH_GET] = { "GET", 3 }, [METH_HEAD] = { "HEAD", 4 },
	[METH_POST] = { "POST", 4 }, [METH_PUT] = { "PUT", 3 }, [METH_DELETE] = { "DELETE", 6 },
	[METH_TRACE] = { "TRACE", 5 }, [METH_CONNECT] = { "CONNECT", 7 }, [METH_OTHER] = { "", 0 },
};
/* clang-format on */

static __attribute__((constructor)) void fill_name_index(void)
{
	for (unsigned id = HDR_OTHER + 1; id < HDR_N; id++) {
		const struct http_known_name *k = &http_known_names[id];
		unsigned slot = http_name_slot(k->name, k->len);

		while (http_name_index[slot])
			slot = (slot + 1) % HTTP_NAME_SLOTS;
		http_name_index[slot] = id;
	}
}

enum http_hid http_name_id(const char *lower_name, size_t len)
{
	unsigned slot;

	if (len == 0 || len >= HTTP_NAME_PAD)
		return HDR_OTHER;
	slot = http_name_slot(lower_name, len);
	for (; http_name_index[slot]; slot = (slot + 1) % HTTP_NAME_SLOTS) {
		const struct http_known_name *k = &http_known_names[http_name_index[slot]];

		if (k->len == len && memcmp(k->name, lower_name, len) == 0)
			return http_name_index[slot];
	}
	return HDR_OTHER;
}

struct slice http_name(enum http_hid id)
{
	return slice_make(http_known_names[id].name, http_known_names[id].len);
}

bool http_name_is_valid(struct slice n)
{
	for (size_t i = 0; i < n.len; i++) {
		if (!http_is_token(n.ptr[i]))
			return false;
	}
	return n.len > 0;
}

static enum http_method method_if(struct slice name, enum http_method id)
{
	return memcmp(name.ptr, method_names[id].ptr, name.len) == 0 ? id : METH_OTHER;
}

/* Methods of one length differ in their first letter, or in the second. */
enum http_method http_method_id(struct slice name)
{
	switch (name.len) {
	case 3: return method_if(name, name.ptr[0] == 'G' ? METH_GET : METH_PUT);
	case 4: return method_if(name, name.ptr[0] == 'P' ? METH_POST : METH_HEAD);
	case 5: return method_if(name, METH_TRACE);
	case 6: return method_if(name, METH_DELETE);
	case 7: return method_if(name, name.ptr[0] == 'C' ? METH_CONNECT : METH_OPTIONS);
	default: return METH_OTHER;
	}
}

struct slice http_method_name(enum http_method m)
{
	return method_names[m];
}

/* RFC 9110 section 15, and those registered since */
const char *http_reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 101: return "Switching Protocols";
	case 102: return "Processing";
	case 103: return "Early Hints";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 203: return "Non-Authoritative Information";
	case 204: return "No Content";
	case 205: return "Reset Content";
	case 206: return "Partial Content";
	case 207: return "Multi-Status";
	case 208: return "Already Reported";
	case 226: return "IM Used";
	case 300: return "Multiple Choices";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 305: return "Use Proxy";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 407: return "Proxy Authentication Required";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Payload Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 418: return "I'm a teapot";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 423: return "Locked";
	case 424: return "Failed Dependency";
	case 425: return "Too Early";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 451: return "Unavailable For Legal Reasons";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 506: return "Variant Also Negotiates";
	case 507: return "Insufficient Storage";
	case 508: return "Loop Detected";
	case 510: return "Not Extended";
	case 511: return "Network Authentication Required";
	default: break;
	}
	switch (status / 100) {
	case 1: return "Informational";
	case 2: return "Success";
	case 3: return "Redirection";
	case 4: return "Client Error";
	case 5: return "Server Error";
	default: return "Other";
	}
}
