#include "address.h"

#include <stddef.h>
#include <string.h>

static const struct special {
	const char *prefix;
	unsigned bits;
	const char *why;
} specials[] = {
    {"0.0.0.0", 8, "this network, RFC 791"},
    {"10.0.0.0", 8, "private, RFC 1918"},
    {"100.64.0.0", 10, "shared by a carrier's customers, RFC 6598"},
    {"127.0.0.0", 8, "loopback, RFC 1122"},
    {"169.254.0.0", 16, "link-local, RFC 3927"},
    {"172.16.0.0", 12, "private, RFC 1918"},
    {"192.0.0.0", 24, "protocol assignments, RFC 6890"},
    {"192.0.2.0", 24, "documentation, RFC 5737"},
    {"192.88.99.0", 24, "6to4 relay, RFC 7526"},
    {"192.168.0.0", 16, "private, RFC 1918"},
    {"198.18.0.0", 15, "benchmarking, RFC 2544"},
    {"198.51.100.0", 24, "documentation, RFC 5737"},
    {"203.0.113.0", 24, "documentation, RFC 5737"},
    {"224.0.0.0", 4, "multicast, RFC 5771"},
    {"240.0.0.0", 4, "reserved or broadcast, RFC 1112"},
    {"::", 96, "unspecified, loopback or IPv4-compatible, RFC 4291"},
    {"::ffff:0:0", 96, "IPv4-mapped, RFC 4291"},
    {"::ffff:0:0:0", 96, "IPv4-translated, RFC 2765"},
    {"64:ff9b::", 96, "IPv4 behind a translator, RFC 6052"},
    {"64:ff9b:1::", 48, "IPv4 behind a local translator, RFC 8215"},
    {"100::", 64, "discard, RFC 6666"},
    {"2001::", 23, "protocol assignments, Teredo among them, RFC 2928"},
    {"2001:db8::", 32, "documentation, RFC 3849"},
    {"2002::", 16, "6to4, RFC 3056"},
    {"3fff::", 20, "documentation, RFC 9637"},
    {"5f00::", 16, "segment routing, RFC 9602"},
    {"fc00::", 7, "unique local, RFC 4193"},
    {"fe80::", 10, "link-local, RFC 4291"},
    {"fec0::", 10, "site-local, RFC 3879"},
    {"ff00::", 8, "multicast, RFC 4291"},
};

bool
address_in_prefix(const struct ip *ip, const struct ip *prefix, unsigned bits)
{
	unsigned octets = bits / 8;

	if (ip->family != prefix->family || memcmp(ip->octets, prefix->octets, octets) != 0)
		return false;
	return bits % 8 == 0 ||
	       ((ip->octets[octets] ^ prefix->octets[octets]) & (0xff00 >> bits % 8 & 0xff)) == 0;
}

const char *
address_refusal(const struct ip *ip)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
		struct ip prefix;

		if (ip_parse(&prefix, specials[i].prefix) &&
		    address_in_prefix(ip, &prefix, specials[i].bits))
			return specials[i].why;
	}
	return NULL;
}
