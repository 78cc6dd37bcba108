/*
 * blocklist: addresses, prefixes and names that asked not to be probed. ZMap's format: one
 * address or CIDR prefix a line, "#" comments; here a name too, which stands for itself and all
 * below it, as a recipient domain and as an MX.
 *
 * A line that is none of these is an error and not skipped: a blocklist that half works is worse
 * than none.
 */
#ifndef MX509_BLOCKLIST_H
#define MX509_BLOCKLIST_H

#include "store/base/err.h"
#include "store/base/ip.h"

struct blocklist;

struct blocklist *blocklist_create(void);
void blocklist_destroy(struct blocklist *list); /* accepts NULL */

/* Adds what a file holds; may be called again for another. */
int blocklist_load(struct blocklist *list, const char *path, struct err *err);
/* One line of it; number is its line number, for the message. */
int blocklist_add(struct blocklist *list, const char *path, unsigned long number, const char *line,
    struct err *err);

/* Both accept a NULL list: nothing is blocked. After the first question nothing may be added.
 * ::ffff:192.0.2.1 reaches 192.0.2.1: what blocks one of them blocks both. */
bool blocklist_has_address(struct blocklist *list, const struct ip *ip);
bool blocklist_has_name(struct blocklist *list, const char *host);

#endif
