#include "blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/probe/address.h"
#include "store/base/mem.h"
#include "store/record/host.h"

struct range {
	struct ip first, last;
};

struct blocklist {
	struct range *ranges;
	size_t ranges_n, ranges_cap;
	char **names;
	size_t names_n, names_cap;
	bool sorted;
};

struct blocklist *
blocklist_create(void)
{
	return mem_zero(1, sizeof(struct blocklist));
}

void
blocklist_destroy(struct blocklist *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->names_n; i++)
		free(list->names[i]);
	free(list->names);
	free(list->ranges);
	free(list);
}

static void
add_range(struct blocklist *list, const struct ip *prefix, unsigned bits)
{
	struct range range = {*prefix, *prefix};

	for (unsigned i = bits; i < 8 * ip_octets_len(prefix); i++) {
		range.first.octets[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		range.last.octets[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	if (list->ranges_n == list->ranges_cap) {
		list->ranges_cap = list->ranges_cap == 0 ? 64 : 2 * list->ranges_cap;
		list->ranges = mem_grow(list->ranges, list->ranges_cap, sizeof(*list->ranges));
	}
	list->ranges[list->ranges_n++] = range;
	list->sorted = false;
}

static void
add_name(struct blocklist *list, const char *name)
{
	if (list->names_n == list->names_cap) {
		list->names_cap = list->names_cap == 0 ? 64 : 2 * list->names_cap;
		list->names = mem_grow(list->names, list->names_cap, sizeof(*list->names));
	}
	list->names[list->names_n++] = mem_strdup(name);
	list->sorted = false;
}

/* "192.0.2.0/24", "192.0.2.1"; false if it is neither. */
static bool
add_address(struct blocklist *list, const char *text)
{
	char address[IP_TEXT_MAX + 1];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits;
	struct ip ip, v4;
	char *end;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!ip_parse(&ip, address))
		return false;
	bits = 8ul * ip_octets_len(&ip);
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		errno = 0;
		unsigned long given = strtoul(slash + 1, &end, 10);
		if (errno != 0 || *end != '\0' || given > bits)
			return false;
		bits = given;
	}
	add_range(list, &ip, (unsigned)bits);
	if (bits >= 96 && ip_unmap(&ip, &v4))
		add_range(list, &v4, (unsigned)bits - 96);
	return true;
}

int
blocklist_add(struct blocklist *list, const char *path, unsigned long number, const char *line,
    struct err *err)
{
	char text[LIMIT_NAME + 64], name[LIMIT_NAME + 1];
	size_t len;

	line += strspn(line, " \t");
	len = strcspn(line, " \t\r\n#");
	if (len == 0)
		return 0;
	if (len < sizeof(text)) {
		memcpy(text, line, len);
		text[len] = '\0';
		line += len;
		line += strspn(line, " \t\r\n");
		if (*line == '\0' || *line == '#') {
			if (add_address(list, text))
				return 0;
			if (host_normalise(text, name, NULL) == 0) {
				add_name(list, name);
				return 0;
			}
		}
	}
	return err_set(err, ERR_INPUT,
	    "%s, line %lu: neither an address, a prefix such as 192.0.2.0/24, nor a name", path,
	    number);
}

int
blocklist_load(struct blocklist *list, const char *path, struct err *err)
{
	unsigned long number = 0;
	char *line = NULL;
	size_t cap = 0;
	FILE *file;
	int rc = 0;

	if ((file = fopen(path, "re")) == NULL)
		return err_system(err, errno, "cannot open the blocklist %s", path);
	while (rc == 0 && getline(&line, &cap, file) >= 0)
		rc = blocklist_add(list, path, ++number, line, err);
	if (rc == 0 && ferror(file))
		rc = err_system(err, errno, "cannot read the blocklist %s", path);
	free(line);
	fclose(file);
	return rc;
}

static int
compare_ranges(const void *a, const void *b)
{
	return ip_compare(&((const struct range *)a)->first, &((const struct range *)b)->first);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, and joins ranges that overlap, so that one search answers. */
static void
sort(struct blocklist *list)
{
	size_t n = 0;

	if (list->sorted)
		return;
	if (list->names_n > 0)
		qsort(list->names, list->names_n, sizeof(*list->names), compare_names);
	if (list->ranges_n > 0)
		qsort(list->ranges, list->ranges_n, sizeof(*list->ranges), compare_ranges);
	for (size_t i = 0; i < list->ranges_n; i++) {
		struct range *r = &list->ranges[i];

		if (n > 0 && ip_compare(&r->first, &list->ranges[n - 1].last) <= 0) {
			if (ip_compare(&r->last, &list->ranges[n - 1].last) > 0)
				list->ranges[n - 1].last = r->last;
		} else {
			list->ranges[n++] = *r;
		}
	}
	list->ranges_n = n;
	list->sorted = true;
}

static bool
has_range(struct blocklist *list, const struct ip *ip)
{
	size_t low = 0, high;

	sort(list);
	high = list->ranges_n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ip_compare(ip, &list->ranges[mid].first) < 0)
			high = mid;
		else if (ip_compare(ip, &list->ranges[mid].last) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

bool
blocklist_has_address(struct blocklist *list, const struct ip *ip)
{
	struct ip v4;

	if (list == NULL)
		return false;
	return has_range(list, ip) || (ip_unmap(ip, &v4) && has_range(list, &v4));
}

bool
blocklist_has_name(struct blocklist *list, const char *host)
{
	if (list == NULL || list->names_n == 0)
		return false;
	sort(list);
	while (host != NULL) {
		if (bsearch(&host, list->names, list->names_n, sizeof(*list->names),
			compare_names) != NULL)
			return true;
		host = strchr(host, '.');
		if (host != NULL)
			host++;
	}
	return false;
}
