/*
 * The table of classes, row by row: pairs of small certificates and outcomes that differ in one
 * thing, the classes that hold of them, all of them and no other, and the severity.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "differ/time/classify.h"

#define O8 "0102030405060708"
#define O32 O8 O8 O8 O8
#define P8 "1112131415161718"
#define P32 P8 P8 P8 P8
#define KEY_P256 "30(30(06(2a8648ce3d0201)06(2a8648ce3d030107))03(0004" O32 O32 "))"
#define KEY_P256_OTHER "30(30(06(2a8648ce3d0201)06(2a8648ce3d030107))03(0004" P32 P32 "))"
#define KEY_P384 "30(30(06(2a8648ce3d0201)06(2b81040022))03(0004" O32 O32 O32 "))"
#define KEY_ED25519 "30(30(06(2b6570))03(00" O32 "))"
#define LATER "30(17('230601000000Z')17('330601000000Z'))"
#define CA_YES "30(06(551d13)01(ff)04(30(01(ff))))"
#define CA_NO "30(06(551d13)01(ff)04(30()))"
#define USAGE "30(06(551d0f)01(ff)04(03(0780)))"
#define OTHER_USAGE "30(06(551d0f)01(ff)04(03(05a0)))"
#define SAN(name) "30(06(551d11)04(30(82(" name "))))"
#define EXTENSIONS(list) "a3(30(" list "))"
#define BIT(c) (1u << CLASS_##c)

/* What is shown before, where a case does not say otherwise. */
static const char *const plain[BUILD_PARTS] = {
    [BUILD_KEY] = KEY_P256,
    [BUILD_EXTENSIONS] = EXTENSIONS(CA_NO USAGE SAN("'mx.example.org'")),
};

struct shown {
	bool none; /* no certificate: `outcome` */
	enum outcome outcome;
	const char *status, *reason; /* of none: what a log reported */
	const char *cipher;
	const char *part[BUILD_PARTS]; /* in the place of plain ones */
};

struct row {
	const char *what;
	struct shown old, new;
	enum lifetime_kind kind;
	bool back, returned;
	unsigned classes;
	enum severity severity;
};

static const struct row rows[] = {
    {"a later end alone", .new.part[BUILD_VALIDITY] = LATER, .classes = BIT(RENEWAL),
	.severity = SEVERITY_INFO},
    {"a later end and another key",
	.new.part = {[BUILD_VALIDITY] = LATER, [BUILD_KEY] = KEY_P256_OTHER},
	.classes = BIT(RENEWAL) | BIT(REKEY), .severity = SEVERITY_INFO},
    {"an earlier end", .old.part[BUILD_VALIDITY] = LATER, .classes = 0, .severity = SEVERITY_INFO},
    {"another key alone", .new.part[BUILD_KEY] = KEY_P256_OTHER, .classes = BIT(REKEY),
	.severity = SEVERITY_INFO},
    {"another serial alone", .new.part[BUILD_SERIAL] = "02(02)", .classes = BIT(REISSUE),
	.severity = SEVERITY_NOTICE},
    {"another issuer", .new.part[BUILD_ISSUER] = BUILD_CN("'cb'"),
	.classes = BIT(CA_CHANGE) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"another issuer of the same organisation",
	.old.part[BUILD_ISSUER] = "30(31(30(06(55040a)0c('Org')))31(30(06(550403)0c('R1'))))",
	.new.part[BUILD_ISSUER] = "30(31(30(06(55040a)0c('Org')))31(30(06(550403)0c('R2'))))",
	.classes = BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"a later end from another issuer",
	.new.part = {[BUILD_VALIDITY] = LATER, [BUILD_ISSUER] = BUILD_CN("'cb'")},
	.classes = BIT(CA_CHANGE), .severity = SEVERITY_NOTICE},
    {"another subject", .new.part[BUILD_SUBJECT] = BUILD_CN("'tree'"),
	.classes = BIT(NAME_CHANGE) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"another alternative name",
	.new.part[BUILD_EXTENSIONS] = EXTENSIONS(CA_NO USAGE SAN("'mx.example.net'")),
	.classes = BIT(NAME_CHANGE) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"another algorithm of the key", .new.part[BUILD_KEY] = KEY_ED25519,
	.classes = BIT(KEY_ALGORITHM_CHANGE) | BIT(REKEY), .severity = SEVERITY_NOTICE},
    {"a weaker key", .old.part[BUILD_KEY] = KEY_P384, .classes = BIT(STRENGTH_LOSS) | BIT(REKEY),
	.severity = SEVERITY_WARNING},
    {"a stronger key", .new.part[BUILD_KEY] = KEY_P384, .classes = BIT(REKEY),
	.severity = SEVERITY_INFO},
    {"a CA's constraints",
	.new.part[BUILD_EXTENSIONS] = EXTENSIONS(CA_YES USAGE SAN("'mx.example.org'")),
	.classes = BIT(CONSTRAINT_CHANGE) | BIT(REISSUE), .severity = SEVERITY_WARNING},
    {"another key usage",
	.new.part[BUILD_EXTENSIONS] = EXTENSIONS(CA_NO OTHER_USAGE SAN("'mx.example.org'")),
	.classes = BIT(USAGE_CHANGE) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"a text to the client",
	.new.part = {[BUILD_SUBJECT] = BUILD_CN("'No SNI provided'"),
	    [BUILD_ISSUER] = BUILD_CN("'No SNI provided'")},
	.classes = BIT(SENTINEL) | BIT(NAME_CHANGE) | BIT(CA_CHANGE) | BIT(REISSUE),
	.severity = SEVERITY_CRITICAL},
    {"signed by itself, for a host",
	.new.part = {[BUILD_SUBJECT] = BUILD_CN("'mx.example.org'"),
	    [BUILD_ISSUER] = BUILD_CN("'mx.example.org'")},
	.classes = BIT(NAME_CHANGE) | BIT(CA_CHANGE) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"a reserved name, signed by itself",
	.new.part =
	    {[BUILD_SUBJECT] = BUILD_CN("'mx.invalid'"), [BUILD_ISSUER] = BUILD_CN("'mx.invalid'")},
	.classes = BIT(SENTINEL) | BIT(NAME_CHANGE) | BIT(CA_CHANGE) | BIT(REISSUE),
	.severity = SEVERITY_CRITICAL},
    {"another cipher", .old.cipher = "TLS_AES_128_GCM_SHA256", .classes = BIT(TLS_CHANGE),
	.severity = SEVERITY_INFO},
    {"STARTTLS not offered", .new = {.none = true, .outcome = OUTCOME_STARTTLS_NOT_OFFERED},
	.classes = BIT(STARTTLS_LOST), .severity = SEVERITY_CRITICAL},
    {"STARTTLS rejected", .new = {.none = true, .outcome = OUTCOME_STARTTLS_REJECTED},
	.classes = BIT(STARTTLS_LOST), .severity = SEVERITY_CRITICAL},
    {"STARTTLS offered again", .old = {.none = true, .outcome = OUTCOME_STARTTLS_NOT_OFFERED},
	.classes = BIT(STARTTLS_GAINED), .severity = SEVERITY_NOTICE},
    {"not offered, then rejected", .old = {.none = true, .outcome = OUTCOME_STARTTLS_NOT_OFFERED},
	.new = {.none = true, .outcome = OUTCOME_STARTTLS_REJECTED}, .classes = 0,
	.severity = SEVERITY_WARNING},
    {"an alert", .new = {.none = true, .outcome = OUTCOME_TLS_ALERT}, .classes = 0,
	.severity = SEVERITY_WARNING},
    {"gone", .new = {.none = true, .outcome = OUTCOME_IO_TIMEOUT}, .kind = LIFETIME_GONE,
	.classes = BIT(GONE), .severity = SEVERITY_WARNING},
    {"back", .kind = LIFETIME_BACK, .classes = BIT(BACK), .severity = SEVERITY_NOTICE},
    {"back with a later end", .new.part[BUILD_VALIDITY] = LATER, .back = true,
	.classes = BIT(BACK) | BIT(RENEWAL), .severity = SEVERITY_NOTICE},
    {"taken back", .new.part[BUILD_SERIAL] = "02(02)", .kind = LIFETIME_ROLLED_BACK,
	.classes = BIT(ROLLED_BACK) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
    {"not trusted any more", .old = {.none = true, .status = "Verified"},
	.new = {.none = true, .status = "Untrusted", .reason = "self-signed certificate"},
	.classes = BIT(TRUST_LOSS), .severity = SEVERITY_CRITICAL},
    {"trusted, but by another name", .old = {.none = true, .status = "Trusted"},
	.new = {.none = true, .status = "Trusted", .reason = "Server certificate not verified"},
	.classes = BIT(TRUST_LOSS), .severity = SEVERITY_CRITICAL},
    {"trusted again", .old = {.none = true, .status = "Anonymous"},
	.new = {.none = true, .status = "Trusted"}, .classes = BIT(TRUST_GAIN),
	.severity = SEVERITY_NOTICE},
    {"verified no more", .old = {.none = true, .status = "Verified"},
	.new = {.none = true, .status = "Trusted"}, .classes = 0, .severity = SEVERITY_NOTICE},
    {"a log without STARTTLS", .old = {.none = true, .status = "Untrusted"},
	.new = {.none = true, .outcome = OUTCOME_STARTTLS_NOT_OFFERED},
	.classes = BIT(STARTTLS_LOST), .severity = SEVERITY_CRITICAL},
    {"a certificate after a log", .old = {.none = true, .status = "Untrusted"}, .classes = 0,
	.severity = SEVERITY_NOTICE},
    {"returned", .new.part[BUILD_SERIAL] = "02(02)", .returned = true,
	.classes = BIT(ROLLED_BACK) | BIT(REISSUE), .severity = SEVERITY_NOTICE},
};

static struct facts *
show(const struct shown *shown, struct state *state)
{
	const char *parts[BUILD_PARTS];
	struct evidence e = {.outcome = shown->outcome, .tls_alert = -1};
	struct facts *facts;
	struct buf der = {0};

	*state = (struct state){.outcome = shown->outcome};
	if (shown->outcome == OUTCOME_STARTTLS_REJECTED)
		e.smtp_code = 554;
	if (shown->none) {
		e.reported_by = shown->status != NULL ? "postfix" : NULL;
		e.reported_status = shown->status;
		e.reported_reason = shown->reason;
		state->observed = evidence_is_observed(&e);
		return facts_of_evidence(&e, NULL);
	}
	for (int i = 0; i < BUILD_PARTS; i++)
		parts[i] = shown->part[i] != NULL ? shown->part[i] : plain[i];
	build(&der, parts, BUILD_VERSION, NULL);
	state->observed = state->has_chain = true;
	state->leaf = state->id = hash_sha256(der.data, der.len);
	e.chain = &state->leaf;
	e.chain_n = 1;
	e.cipher = shown->cipher != NULL ? shown->cipher : "TLS_AES_256_GCM_SHA384";
	facts = facts_of_evidence(&e, &(struct span){der.data, der.len});
	buf_finish(&der);
	return facts;
}

/* ---- what names hold ------------------------------------------------------------------------ */

struct answer {
	enum dns_status status;
	const char *record; /* NULL: none */
};

static const struct {
	const char *host;
	uint16_t rrtype;
	struct answer old, new;
	unsigned classes;
} names[] = {
    {"a.test", RRTYPE_MX, {DNS_SECURE, "1 a"}, {DNS_SECURE, "1 b"}, 1u << CLASS_MX_CHANGE},
    {"a.test", RRTYPE_A, {DNS_SECURE, "192.0.2.1"}, {DNS_SECURE, NULL}, 1u << CLASS_ADDRESS_CHANGE},
    {"a.test", RRTYPE_AAAA, {DNS_INSECURE, NULL}, {DNS_INSECURE, "::1"},
	1u << CLASS_ADDRESS_CHANGE},
    {"a.test", RRTYPE_CNAME, {DNS_SECURE, "b"}, {DNS_SECURE, "c"}, 1u << CLASS_ADDRESS_CHANGE},
    {"a.test", RRTYPE_TLSA, {DNS_SECURE, "3 1 1 00"}, {DNS_SECURE, "3 1 1 01"},
	1u << CLASS_TLSA_CHANGE},
    {"_mta-sts.a.test", RRTYPE_TXT, {DNS_SECURE, "\"a\""}, {DNS_SECURE, "\"b\""},
	1u << CLASS_STS_CHANGE},
    {"_smtp._tls.a.test", RRTYPE_TXT, {DNS_SECURE, "\"a\""}, {DNS_SECURE, "\"b\""}, 0},
    {"a.test", RRTYPE_MX, {DNS_SECURE, "1 a"}, {DNS_INSECURE, "1 a"}, 1u << CLASS_DNSSEC_LOST},
    /* What a forged answer holds is not known. */
    {"a.test", RRTYPE_MX, {DNS_SECURE, "1 a"}, {DNS_BOGUS, NULL}, 1u << CLASS_DNSSEC_LOST},
    {"a.test", RRTYPE_MX, {DNS_INSECURE, "1 a"}, {DNS_SECURE, "1 b"},
	1u << CLASS_DNSSEC_GAINED | 1u << CLASS_MX_CHANGE},
    /* That a resolver strips signatures says nothing about the name. */
    {"a.test", RRTYPE_MX, {DNS_SECURE, "1 a"}, {DNS_UNVALIDATED, "1 a"}, 0},
    {"a.test", RRTYPE_MX, {DNS_UNVALIDATED, "1 a"}, {DNS_SECURE, "1 a"}, 0},
};

static struct facts *
hold(const struct answer *a)
{
	struct dns_answer answer = {
	    .status = a->status, .records = &a->record, .records_n = a->record != NULL};

	return facts_of_answer(&answer);
}

/* Bits of the classes that the rows above have. */
static unsigned
classes_of_names(void)
{
	unsigned all = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		all |= names[i].classes;
	return all;
}

static void
test_what_names_hold(void **ctx)
{
	(void)ctx;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct series series = {.kind = SERIES_DNS, .rrtype = names[i].rrtype};
		struct lifetime_event event = {.kind = LIFETIME_BEGIN};
		struct state state = {.observed = true};
		struct facts *old = hold(&names[i].old), *new = hold(&names[i].new);
		struct difference d[FIELD_N];
		struct arena arena = {0};
		struct transition t = {.series = &series,
		    .event = &event,
		    .old_state = &state,
		    .new_state = &state,
		    .old = old,
		    .new = new,
		    .differences = d};

		strcpy(series.host, names[i].host);
		t.differences_n = diff_facts(old, new, &arena, d);
		if (classify(&t) != names[i].classes)
			fail_msg("row %zu: classes %x", i, classify(&t));
		arena_finish(&arena);
		facts_destroy(old);
		facts_destroy(new);
	}
}

static void
test_rows(void **ctx)
{
	unsigned covered = classes_of_names();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct lifetime_event event = {
		    .kind = row->kind, .back = row->back, .returned = row->returned};
		struct difference d[FIELD_N], kept[FIELD_N];
		struct arena arena = {0};
		struct state old_state, new_state;
		struct facts *old = show(&row->old, &old_state), *new = show(&row->new, &new_state);
		struct transition t = {.event = &event,
		    .old_state = &old_state,
		    .new_state = &new_state,
		    .old = old,
		    .new = new,
		    .differences = kept};
		size_t n = diff_facts(old, new, &arena, d);
		unsigned classes;

		/* As change.c does: between a certificate and none, its fields say nothing. */
		for (size_t j = 0; j < n; j++)
			if ((old_state.has_chain && new_state.has_chain) ||
			    field_table[d[j].field].source == SOURCE_SMTP)
				kept[t.differences_n++] = d[j];
		classes = classify(&t);
		if (classes != row->classes ||
		    classify_severity(classes, kept, t.differences_n) != row->severity)
			fail_msg("%s: classes %x for %x, severity %s for %s", row->what, classes,
			    row->classes,
			    severity_name(classify_severity(classes, kept, t.differences_n)),
			    severity_name(row->severity));
		covered |= row->classes;
		arena_finish(&arena);
		facts_destroy(old);
		facts_destroy(new);
	}
	for (unsigned c = 0; c < CLASS_N; c++)
		if (class_table[c].holds != NULL && (covered & 1u << c) == 0)
			fail_msg("no row above is %s", class_table[c].name);
}

static void
test_names(void **ctx)
{
	enum change_class class;

	for (unsigned c = 0; c < CLASS_N; c++) {
		assert_true(class_parse(class_table[c].name, &class));
		assert_int_equal(class, c);
	}
	assert_false(class_parse("none-such", &class));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_what_names_hold),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
