#include "dns_answer.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "store/base/limits.h"
#include "store/base/mem.h"
#include "store/base/names.h"
#include "store/base/text.h"

static const char *const status_names[DNS_STATUS_N] = {
    [DNS_SECURE] = "secure",
    [DNS_INSECURE] = "insecure",
    [DNS_BOGUS] = "bogus",
    [DNS_UNVALIDATED] = "unvalidated",
    [DNS_FAILED] = "failed",
};

/* On disk: only append. */
enum tag { TAG_STATUS = 1, TAG_RCODE, TAG_RECORDS };

const char *
dns_status_name(enum dns_status v)
{
	return names_get(status_names, DNS_STATUS_N, v);
}

bool
dns_status_parse(const char *text, enum dns_status *v)
{
	unsigned i;

	if (!names_find(status_names, DNS_STATUS_N, text, &i))
		return false;
	*v = i;
	return true;
}

static bool
is_utf8(const char *text, size_t len)
{
	uint32_t rune;

	for (size_t at = 0, n; at < len; at += n)
		if ((n = text_utf8((const uint8_t *)text + at, len - at, &rune)) == 0)
			return false;
	return true;
}

int
dns_answer_valid(const struct dns_answer *a, struct err *err)
{
	if ((unsigned)a->status >= DNS_STATUS_N)
		return err_set(err, ERR_INPUT, "status: unknown status %d", (int)a->status);
	if (a->rcode != NULL && strnlen(a->rcode, LIMIT_WORD + 1) > LIMIT_WORD)
		return err_set(err, ERR_LIMIT, "rcode: longer than %d octets", LIMIT_WORD);
	if (a->rcode != NULL && !is_utf8(a->rcode, strlen(a->rcode)))
		return err_set(err, ERR_INPUT, "rcode: not UTF-8");
	if (a->records_n > LIMIT_DNS_RECORDS)
		return err_set(err, ERR_LIMIT, "records: more than %d", LIMIT_DNS_RECORDS);
	for (size_t i = 0; i < a->records_n; i++) {
		size_t len = strnlen(a->records[i], LIMIT_DNS_RECORD + 1);

		if (len > LIMIT_DNS_RECORD)
			return err_set(err, ERR_LIMIT, "records: one of more than %d octets",
			    LIMIT_DNS_RECORD);
		if (!is_utf8(a->records[i], len))
			return err_set(err, ERR_INPUT, "records: not UTF-8");
		if (i > 0 && strcmp(a->records[i - 1], a->records[i]) > 0)
			return err_set(err, ERR_INPUT, "records: not sorted");
	}
	return 0;
}

struct owned {
	const char **records;
	uint8_t bytes[];
};

void
dns_answer_finish(struct dns_answer *a)
{
	if (a == NULL)
		return;
	if (a->owned != NULL) {
		struct owned *owned = a->owned;

		free(owned->records);
		free(owned);
	}
	*a = (struct dns_answer){0};
}

void
dns_answer_encode(struct buf *out, const struct dns_answer *a)
{
	buf_append_byte(out, MEMBERS_DNS_ANSWER);
	members_put_number(out, TAG_STATUS, a->status);
	members_put_text(out, TAG_RCODE, a->rcode);
	members_put_list(out, TAG_RECORDS, a->records, a->records_n);
}

static bool
decode_member(struct dns_answer *a, struct member *m)
{
	struct owned *owned = a->owned;
	uint64_t v = 0;

	switch (m->tag) {
	case TAG_STATUS:
		if (!members_number(m, &v) || v >= DNS_STATUS_N)
			return false;
		a->status = v;
		return true;
	case TAG_RCODE:
		return (a->rcode = members_text(m)) != NULL;
	case TAG_RECORDS:
		a->records_n = members_list_len(m);
		owned->records = mem_zero(a->records_n, sizeof(*owned->records));
		a->records = owned->records;
		return members_list(m, owned->records, a->records_n);
	}
	return false;
}

int
dns_answer_decode(struct dns_answer *a, const void *p, size_t len, struct err *err)
{
	struct owned *owned = mem_alloc(sizeof(*owned) + len);
	struct reader r = reader_of(owned->bytes, len);
	struct member m;
	uint8_t last = 0;
	int more = -1;

	owned->records = NULL;
	memcpy(owned->bytes, p, len);
	*a = (struct dns_answer){.owned = owned};
	if (reader_byte(&r) == MEMBERS_DNS_ANSWER)
		while ((more = members_next(&r, &last, &m)) > 0)
			if (!decode_member(a, &m))
				break;
	if (more != 0 || dns_answer_valid(a, NULL) != 0) {
		dns_answer_finish(a);
		return err_set(err, ERR_DAMAGED, "a DNS record cannot be read");
	}
	return 0;
}
