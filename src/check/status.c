/* SPDX-License-Identifier: Apache-2.0 */
/* The results of checks: their names in the CSV, their texts in the log, what they mean. */
#include <lb/check/check.h>

enum {
	RESULT_UNKNOWN,
	RESULT_NEUTRAL,
	RESULT_FAILED,
	RESULT_PASSED,
	RESULT_CONDITIONAL
};

static const struct status {
	const char *name, *text;
	uint8_t result;
} statuses[CHK_N] = {
	[CHK_UNKNOWN] = { "UNK", "Unknown", RESULT_UNKNOWN },
	[CHK_INI] = { "INI", "Initializing", RESULT_UNKNOWN },
	[CHK_START] = { "START", "Check started but still in progress", RESULT_UNKNOWN },
	[CHK_SOCKERR] = { "SOCKERR", "Socket error", RESULT_FAILED },
	[CHK_L4OK] = { "L4OK", "Layer4 check passed", RESULT_PASSED },
	[CHK_L4TOUT] = { "L4TOUT", "Layer4 timeout", RESULT_FAILED },
	[CHK_L4CON] = { "L4CON", "Layer4 connection problem", RESULT_FAILED },
	[CHK_L6OK] = { "L6OK", "Layer6 check passed", RESULT_PASSED },
	[CHK_L6TOUT] = { "L6TOUT", "Layer6 timeout", RESULT_FAILED },
	[CHK_L6RSP] = { "L6RSP", "Layer6 invalid response", RESULT_FAILED },
	[CHK_L7TOUT] = { "L7TOUT", "Layer7 timeout", RESULT_FAILED },
	[CHK_L7RSP] = { "L7RSP", "Layer7 invalid response", RESULT_FAILED },
	[CHK_L7OK] = { "L7OK", "Layer7 check passed", RESULT_PASSED },
	[CHK_L7OKC] = { "L7OKC", "Layer7 check conditionally passed", RESULT_CONDITIONAL },
	[CHK_L7STS] = { "L7STS", "Layer7 wrong status", RESULT_FAILED },
	[CHK_PROCERR] = { "PROCERR", "External check error", RESULT_FAILED },
	[CHK_PROCTOUT] = { "PROCTOUT", "External check timeout", RESULT_FAILED },
	[CHK_PROCOK] = { "PROCOK", "External check passed", RESULT_PASSED },
	[CHK_HANA] = { "HANA", "Health analyze", RESULT_FAILED },
};

const char *check_status_name(enum check_status s)
{
	return statuses[s].name;
}

const char *check_status_text(enum check_status s)
{
	return statuses[s].text;
}

int check_status_result(enum check_status s)
{
	return statuses[s].result;
}
