/* SPDX-License-Identifier: Apache-2.0 */
/* The entry. Everything registers itself; the life of the process is in <lb/runtime/process.h>. */
#include <lb/runtime/process.h>

int main(int argc, char **argv)
{
	return process_run(argc, argv);
}
