/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of syslog messages from any bytes: its frames are within it and never overlap, and what
 * a message is taken apart into lies within the message.
 */
#include <lb/observe/syslog.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice part, struct slice whole)
{
	if (part.len && (part.ptr < whole.ptr || part.ptr + part.len > whole.ptr + whole.len))
		abort();
}

static void check_message(struct slice raw)
{
	struct syslog_msg m;

	syslog_parse(raw, &m);
	check_within(m.all, raw);
	check_within(m.text, m.all);
	check_within(m.time, m.all);
	check_within(m.host, m.all);
	check_within(m.tag, m.all);
	check_within(m.pid, m.all);
	check_within(m.msgid, m.all);
	check_within(m.sd, m.all);
	if (m.level > 7 || m.facility > 23 || (m.level < 0) != (m.facility < 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool only_lines = size && (data[0] & 1);
	char *copy = malloc(size ? size : 1);
	struct slice in = slice_make(copy, size), msg;
	ssize_t n;

	memcpy(copy, data, size);
	check_message(in);
	while ((n = syslog_frame(in, only_lines, &msg)) > 0) {
		check_within(msg, in);
		check_message(msg);
		in = slice_make(in.ptr + n, in.len - (size_t)n);
	}
	free(copy);
	return 0;
}
