/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NetScaler Client IP header: what a Citrix ADC puts in front of a connection to tell whose it
 * is, a magic number and a copy of the client's IP and TCP headers.
 */
#ifndef LB_NET_NETSCALER_H
#define LB_NET_NETSCALER_H

#include <lb/net/addr.h>
#include <sys/types.h>

#define CIP_MAX 132 /* bytes of the longest header */

/**
 * cip_parse() - a Client IP header at the start of @data, of either form
 * @magic: the number it must begin with; NULL: any
 * @src: @dst: set where the header is whole and valid
 *
 * Refuses as early as a byte does not fit.
 *
 * Return: > 0 length of the header; 0 more bytes needed; -ENOMSG another magic number;
 *         -EPROTONOSUPPORT no known form, or no TCP; -EPROTO lengths that cannot be.
 * Thread: any.
 */
ssize_t cip_parse(
	const char *data, size_t len, const uint32_t *magic, struct addr *src, struct addr *dst);

#endif
