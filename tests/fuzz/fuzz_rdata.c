/*
 * Records of a DNS answer, whatever is in them: the first two octets of an input are the type, the
 * rest is records, each with its length in one octet before it, as an answer's entry takes them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/dns/dns_cache.h"
#include "collector/dns/rdata.h"
#include "store/base/mem.h"

#define RECORDS_MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Presentation form is printable ASCII, and what is no record of its type is generic. */
static char *
text_of(uint16_t rrtype, const uint8_t *p, size_t len)
{
	struct buf text = {0}, name = {0};
	struct reader r = reader_of(p, len);
	char *copy;

	rdata_text(&text, rrtype, p, len);
	for (size_t i = 0; i < text.len; i++)
		require(text.data[i] >= 0x20 && text.data[i] < 0x7f);
	require(text.len > 0 && text.len <= 16 + 5 * len);
	if (!rdata_name(&name, &r))
		require(name.len == 0);
	copy = mem_strdup(buf_text(&text));
	buf_finish(&text);
	buf_finish(&name);
	return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_cache cache;
	struct dns_entry *entry;
	uint16_t rrtype;
	char **records;
	size_t n = 0;

	if (len < 2)
		return 0;
	rrtype = (uint16_t)(data[0] << 8 | data[1]);
	dns_cache_init(&cache);
	entry = dns_cache_add(&cache, "name.test", rrtype);
	records = mem_zero(RECORDS_MOST, sizeof(*records));
	for (size_t at = 2; at < len && n < RECORDS_MOST;) {
		size_t part = data[at] < len - at - 1 ? data[at] : len - at - 1;

		records[n++] = text_of(rrtype, data + at + 1, part);
		at += part + 1;
	}
	dns_entry_set_records(entry, records, n);
	require(entry->result.answer.records_n <= n);
	for (size_t i = 1; i < entry->result.answer.records_n; i++)
		require(strcmp(entry->result.answer.records[i - 1],
			    entry->result.answer.records[i]) < 0);
	require(dns_cache_find(&cache, "name.test", rrtype) == entry);
	dns_cache_finish(&cache);
	return 0;
}
