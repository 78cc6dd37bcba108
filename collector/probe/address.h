/*
 * address: whether an address may be dialled. An MX record can point anywhere: into the network
 * behind us, at the machine itself, at a translator that hides either.
 *
 * Not the user's blocklist (blocklist.h). Source: the IANA special-purpose address registries
 * (RFC 6890), and the addresses that embed an IPv4 address.
 */
#ifndef MX509_ADDRESS_H
#define MX509_ADDRESS_H

#include "store/base/ip.h"

/* Why it is refused without --allow-private, as a phrase ("loopback, RFC 1122"); NULL if it is
 * an address of the public Internet. */
const char *address_refusal(const struct ip *ip);

/* Whether the first `bits` bits of both are equal, and both of one family. */
bool address_in_prefix(const struct ip *ip, const struct ip *prefix, unsigned bits);

#endif
