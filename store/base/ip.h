/*
 * ip: an IPv4 or IPv6 address as a value. An IPv4 address has family 4 and its four octets first,
 * the rest zero; it sorts before every IPv6 address. No zones (%eth0).
 *
 * ::ffff:a.b.c.d stays IPv6, everywhere: evidence is kept as it was written, an export that is
 * imported again changes nothing, and the collector refuses to dial it unless --allow-private is
 * given, which is not for a change of its form to decide. Who asks whom it stands for, as a
 * blocklist must, asks ip_unmap().
 */
#ifndef MX509_IP_H
#define MX509_IP_H

#include <stdbool.h>
#include <stdint.h>

#define IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct ip {
	uint8_t family; /* 4 or 6; 0 is no address */
	uint8_t octets[16];
};

bool ip_parse(struct ip *ip, const char *text);	      /* inet_pton(3) form, no brackets */
bool ip_parse_port(uint16_t *port, const char *text); /* decimal, 1 to 65535 */
/* An address as it is printed (RFC 5952 section 6): an IPv6 address in brackets or bare, either
 * family with :PORT behind it, IPv6 then in brackets. *port is 0 where there is none. A text that
 * is none leaves *ip without a family. */
bool ip_parse_place(struct ip *ip, uint16_t *port, const char *text);
void ip_format(const struct ip *ip, char out[IP_TEXT_MAX]); /* RFC 5952 */

/* Its name in the tree of reverse look-ups: "1.2.0.192.in-addr.arpa" (RFC 1035 section 3.5), or 32
 * nibbles under ip6.arpa (RFC 3596 section 2.5): what stands for the host where nobody named one.
 */
#define IP_REVERSE_MAX 74
void ip_reverse_name(const struct ip *ip, char out[IP_REVERSE_MAX]);

/* The IPv4 address that ::ffff:a.b.c.d stands for (RFC 4291 section 2.5.5.2); false: it is none. */
bool ip_unmap(const struct ip *ip, struct ip *v4);

int ip_compare(const struct ip *a, const struct ip *b);
unsigned ip_octets_len(const struct ip *ip); /* 4 or 16 */

#endif
