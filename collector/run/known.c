#include "known.h"

#include <stdlib.h>
#include <string.h>

#include "recent.h"
#include "store/base/buf.h"
#include "store/base/mem.h"

/* Beside its flags an address keeps how many next hops it was asked for. */
#define NEXTHOPS (KNOWN_REFUSED - 1)

struct known {
	struct recent *targets, *hosts, *places, *addresses;
};

struct known *
known_create(void)
{
	struct known *known = mem_zero(1, sizeof(*known));

	known->targets = recent_create();
	known->hosts = recent_create();
	known->places = recent_create();
	known->addresses = recent_create();
	return known;
}

void
known_destroy(struct known *known)
{
	if (known == NULL)
		return;
	recent_destroy(known->targets);
	recent_destroy(known->hosts);
	recent_destroy(known->places);
	recent_destroy(known->addresses);
	free(known);
}

bool
known_add_target(struct known *known, const struct target *target)
{
	struct buf key = {0};
	bool fresh;

	buf_append_byte(&key, (uint8_t)target->kind);
	buf_append_u16be(&key, target->port);
	buf_append_text(&key, target->name);
	fresh = recent_add(known->targets, key.data, key.len);
	buf_finish(&key);
	return fresh;
}

bool
known_add_host(struct known *known, const char *host)
{
	return recent_add(known->hosts, host, strlen(host));
}

bool
known_add_place(struct known *known, const char *host, const struct ip *address, uint16_t port)
{
	struct buf key = {0};
	bool fresh;

	buf_append(&key, address, sizeof(*address));
	buf_append_u16be(&key, port);
	buf_append_text(&key, host);
	fresh = recent_add(known->places, key.data, key.len);
	buf_finish(&key);
	return fresh;
}

bool
known_add_address(struct known *known, const struct ip *address)
{
	return recent_add(known->addresses, address, sizeof(*address));
}

bool
known_add_nexthop(struct known *known, const struct ip *address, unsigned most)
{
	uint32_t *number = recent_at(known->addresses, address, sizeof(*address), NULL);

	if (most > 0 && (*number & NEXTHOPS) >= most)
		return false;
	++*number;
	return true;
}

uint32_t
known_mark(struct known *known, const struct ip *address, uint32_t flags)
{
	uint32_t *number = recent_at(known->addresses, address, sizeof(*address), NULL);
	uint32_t before = *number & ~NEXTHOPS;

	*number |= flags;
	return before;
}
