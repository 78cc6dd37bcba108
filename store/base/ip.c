#include "ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool
ip_parse(struct ip *ip, const char *text)
{
	*ip = (struct ip){0};
	if (inet_pton(AF_INET, text, ip->octets) == 1)
		ip->family = 4;
	else if (inet_pton(AF_INET6, text, ip->octets) == 1)
		ip->family = 6;
	return ip->family != 0;
}

bool
ip_parse_port(uint16_t *port, const char *text)
{
	unsigned value = 0;

	if (*text == '\0')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if ((value = value * 10 + (unsigned)(*text - '0')) > 65535)
			return false;
	*port = (uint16_t)value;
	return *text == '\0' && value > 0;
}

bool
ip_parse_place(struct ip *ip, uint16_t *port, const char *text)
{
	bool brackets = text[0] == '[';
	const char *end = strchr(text, brackets ? ']' : ':');
	char address[INET6_ADDRSTRLEN];
	size_t len;

	*port = 0;
	if (!brackets && (end == NULL || ip_parse(ip, text)))
		return ip_parse(ip, text);
	text += brackets;
	if (end == NULL || (len = (size_t)(end - text)) >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	end += brackets;
	if (ip_parse(ip, address) && ip->family == (brackets ? 6 : 4) &&
	    (*end == '\0' || (*end == ':' && ip_parse_port(port, end + 1))))
		return true;
	*ip = (struct ip){0};
	return false;
}

void
ip_format(const struct ip *ip, char out[IP_TEXT_MAX])
{
	if (inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->octets, out, IP_TEXT_MAX) == NULL)
		out[0] = '\0';
}

int
ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->octets, b->octets, sizeof(a->octets));
}

bool
ip_unmap(const struct ip *ip, struct ip *v4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*v4 = (struct ip){.family = 4};
	if (ip->family != 6 || memcmp(ip->octets, mapped, sizeof(mapped)) != 0)
		return false;
	memcpy(v4->octets, ip->octets + sizeof(mapped), 4);
	return true;
}

unsigned
ip_octets_len(const struct ip *ip)
{
	return ip->family == 4 ? 4 : 16;
}

void
ip_reverse_name(const struct ip *ip, char out[IP_REVERSE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *o = ip->octets;

	if (ip->family == 4) {
		snprintf(out, IP_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", o[3], o[2], o[1], o[0]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		*out++ = digits[o[i] & 15];
		*out++ = '.';
		*out++ = digits[o[i] >> 4];
		*out++ = '.';
	}
	strcpy(out, "ip6.arpa");
}
