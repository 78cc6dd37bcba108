/* Verdicts of chains of the test's own making: what each level concludes, and why. The same is
 * asked of Postfix itself in tests/integration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "differ/verdict/verdict.h"
#include "pki.h"
#include "store/base/mem.h"

#define HOST "mx1.example.org"
#define NEXTHOP "example.org"
#define CHAIN_MAX 4

static struct pki root, other_root, issuing;
static char roots_path[] = "/tmp/test_verdict_XXXXXX";
static struct verdict_engine *engine;

/* A question about a chain, that TLS 1.3 showed. */
struct asked {
	struct verdict_question question;
	struct evidence evidence;
	struct span certificates[CHAIN_MAX];
	struct hash names[CHAIN_MAX];
	unsigned char *der[CHAIN_MAX];
};

static struct asked *
ask(const struct pki *const *chain, size_t n)
{
	struct asked *a = mem_zero(1, sizeof(*a));

	for (size_t i = 0; i < n; i++) {
		int len = i2d_X509(chain[i]->x, &a->der[i]);

		a->certificates[i] = (struct span){a->der[i], (size_t)len};
		a->names[i] = hash_sha256(a->der[i], (size_t)len);
	}
	a->evidence = (struct evidence){.outcome = OUTCOME_SUCCESS,
	    .tls_alert = -1,
	    .tls_version = "TLSv1.3",
	    .chain = a->names,
	    .chain_n = n};
	a->question = (struct verdict_question){.evidence = &a->evidence,
	    .certificates = a->certificates,
	    .time_ms = PKI_NOW * INT64_C(1000),
	    .host = HOST,
	    .nexthop = NEXTHOP};
	return a;
}

static void
done(struct asked *a)
{
	for (size_t i = 0; i < CHAIN_MAX; i++)
		OPENSSL_free(a->der[i]);
	free(a);
}

static struct verdict
judge(const struct asked *a)
{
	struct verdict v;
	struct err err = {0};

	if (verdict_of(engine, &a->question, &v, &err) != 1)
		fail_msg("no verdict: %s", err.text);
	return v;
}

static void
check_at(const char *file, int line, const struct verdict *v, enum level level, const char *wanted)
{
	const struct conclude_level *l = &v->levels[level];
	const char *word = level_word_name(l->word), *reason = level_reason_name(l->reason);
	char got[128];

	snprintf(got, sizeof(got), "%s %s%s%s", word != NULL ? word : "-",
	    l->delivers ? "delivers" : "defers", reason != NULL ? " " : "",
	    reason != NULL ? reason : "");
	if (strcmp(l->known ? got : "unknown", wanted) != 0) {
		print_error(
		    "%s: %s, not %s\n", level_name(level), l->known ? got : "unknown", wanted);
		_fail(file, line);
	}
}
#define check(v, level, wanted) check_at(__FILE__, __LINE__, v, level, wanted)

/* What the four levels that look at a chain say of a leaf under the issuing CA. */
static void
check_leaf(const struct pki_wish *wish, const char *encrypt, const char *verify, const char *secure)
{
	struct pki leaf = pki_make(wish);
	const struct pki *chain[] = {&leaf, &issuing};
	struct asked *a = ask(chain, 2);
	struct verdict v = judge(a);

	check(&v, LEVEL_NONE, "- delivers");
	check(&v, LEVEL_MAY, encrypt);
	check(&v, LEVEL_ENCRYPT, encrypt);
	check(&v, LEVEL_VERIFY, verify);
	check(&v, LEVEL_SECURE, secure);
	done(a);
	pki_free(&leaf);
}

#define TRUSTED "Trusted delivers"
#define UNTRUSTED "Untrusted delivers"
#define VERIFIED "Verified delivers"
#define MISMATCH "Untrusted defers certificate-host-mismatch"
#define NOT_TRUSTED "Untrusted defers certificate-not-trusted"
#define EXPIRED "Untrusted defers certificate-expired"
#define FAILURE "Untrusted defers validation-failure"

/* ---- names ------------------------------------------------------------------------------- */

static void
test_names(void **state)
{
	static const struct {
		const char *cn, *san, *verify, *secure;
	} cases[] = {
	    {"x", "DNS:" HOST, VERIFIED, VERIFIED}, /* below the nexthop: dot-nexthop */
	    {"x", "DNS:MX1.Example.ORG", VERIFIED, VERIFIED},
	    {"x", "DNS:example.org", MISMATCH, VERIFIED},
	    {"x", "DNS:*.example.org", VERIFIED, VERIFIED},
	    {"x", "DNS:*.*.org", MISMATCH, MISMATCH},
	    {"x", "DNS:mx*.example.org", MISMATCH, VERIFIED}, /* below the nexthop, as it stands */
	    {"x", "DNS:*.org", MISMATCH, MISMATCH},
	    {"x", "DNS:a.b.example.org", MISMATCH, VERIFIED},
	    {"x", "DNS:notexample.org", MISMATCH, MISMATCH},
	    {"x", "DNS:mx.example.net", MISMATCH, MISMATCH},
	    {"x", "DNS:mx.example.net,DNS:" HOST, VERIFIED, VERIFIED},
	    {HOST, NULL, VERIFIED, VERIFIED},
	    {"*.example.org", NULL, VERIFIED, VERIFIED},
	    {HOST, "DNS:mx.example.net", MISMATCH, MISMATCH},
	    {HOST, "email:a@example.org", VERIFIED, VERIFIED}, /* no dNSName: the CN counts */
	    {HOST, "IP:192.0.2.1", VERIFIED, VERIFIED},
	    {"No host", NULL, MISMATCH, MISMATCH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("CN=%s, %s\n", cases[i].cn, cases[i].san);
		check_leaf(
		    &(struct pki_wish){.cn = cases[i].cn, .san = cases[i].san, .by = &issuing},
		    TRUSTED, cases[i].verify, cases[i].secure);
	}
}

static void
test_other_versions(void **state)
{
	static const struct {
		const char *postfix, *word;
	} cases[] = {{"3.4", "Trusted"}, {"3.5", "Trusted"}, {"3.6", "Untrusted"},
	    {"3.7", "Untrusted"}, {"3.8", "Untrusted"}, {"3.9", "Untrusted"},
	    {"3.10.3", "Untrusted"}, {"3.10.4", "Trusted"}, {"3.10", "Trusted"},
	    {"3.11", "Trusted"}};
	struct pki leaf =
	    pki_make(&(struct pki_wish){.cn = "x", .san = "DNS:mx.example.net", .by = &issuing});
	const struct pki *chain[] = {&leaf, &issuing};
	struct level_postfix none;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict_rules rules = {.roots = roots_path};
		struct asked *a = ask(chain, 2);
		struct verdict_engine *e;
		struct verdict v;
		struct err err = {0};

		assert_true(level_postfix_parse(cases[i].postfix, &rules.postfix));
		assert_int_equal(verdict_engine_create(&e, &rules, &err), 0);
		assert_int_equal(verdict_of(e, &a->question, &v, &err), 1);
		assert_string_equal(level_word_name(v.levels[LEVEL_VERIFY].word), cases[i].word);
		assert_false(v.levels[LEVEL_VERIFY].delivers);
		assert_string_equal(level_word_name(v.levels[LEVEL_MAY].word), "Trusted");
		verdict_engine_destroy(e);
		done(a);
	}
	pki_free(&leaf);
	assert_false(level_postfix_parse("3.3", &none));
	assert_false(level_postfix_parse("3.12", &none));
	assert_false(level_postfix_parse("2.11", &none));
	assert_false(level_postfix_parse("3.7.", &none));
	assert_false(level_postfix_parse("3.7x", &none));
	assert_false(level_postfix_parse("", &none));
}

/* ---- chains and times -------------------------------------------------------------------- */

static void
test_leaves(void **state)
{
	const struct pki_wish good = {.cn = "x", .san = "DNS:" HOST, .by = &issuing};
	struct pki_wish wish = good;

	(void)state;
	check_leaf(&good, TRUSTED, VERIFIED, VERIFIED);
	wish.until = -PKI_DAY;
	wish.from = -3 * PKI_DAY;
	check_leaf(&wish, UNTRUSTED, EXPIRED, EXPIRED);
	wish = good;
	wish.from = PKI_DAY;
	check_leaf(&wish, UNTRUSTED, FAILURE, FAILURE);
	wish = good;
	wish.usage = "clientAuth";
	check_leaf(&wish, UNTRUSTED, NOT_TRUSTED, NOT_TRUSTED);
	wish.usage = "serverAuth";
	check_leaf(&wish, TRUSTED, VERIFIED, VERIFIED);
	/* Weak for security level 1, not for 0. */
	wish = good;
	wish.rsa_bits = 1024;
	check_leaf(&wish, TRUSTED, VERIFIED, VERIFIED);
	wish.rsa_bits = 768;
	check_leaf(&wish, TRUSTED, FAILURE, FAILURE);
	wish = good;
	wish.digest = EVP_sha1();
	check_leaf(&wish, TRUSTED, FAILURE, FAILURE);
	/* Not trusted comes before a name. */
	wish = good;
	wish.san = "DNS:mx.example.net";
	wish.until = -PKI_DAY;
	wish.from = -3 * PKI_DAY;
	check_leaf(&wish, UNTRUSTED, EXPIRED, EXPIRED);
}

static void
check_chain(const struct pki *const *chain, size_t n, const char *encrypt, const char *verify)
{
	struct asked *a = ask(chain, n);
	struct verdict v = judge(a);

	check(&v, LEVEL_ENCRYPT, encrypt);
	check(&v, LEVEL_VERIFY, verify);
	done(a);
}

static void
test_chains(void **state)
{
	const struct pki_wish of_root = {.cn = "x", .san = "DNS:" HOST, .by = &root};
	const struct pki_wish of_issuing = {.cn = "x", .san = "DNS:" HOST, .by = &issuing};
	const struct pki_wish of_other = {.cn = "x", .san = "DNS:" HOST, .by = &other_root};
	const struct pki_wish of_itself = {.cn = "x", .san = "DNS:" HOST};
	const struct pki_wish no_ca = {.cn = "no CA", .by = &root};
	struct pki direct = pki_make(&of_root), leaf = pki_make(&of_issuing);
	struct pki other = pki_make(&of_other), alone = pki_make(&of_itself);
	struct pki false_ca = pki_make(&no_ca);
	const struct pki_wish of_false = {.cn = "x", .san = "DNS:" HOST, .by = &false_ca};
	struct pki misled = pki_make(&of_false);

	(void)state;
	check_chain((const struct pki *[]){&direct}, 1, TRUSTED, VERIFIED);
	check_chain((const struct pki *[]){&leaf, &issuing, &root}, 3, TRUSTED, VERIFIED);
	check_chain((const struct pki *[]){&leaf, &root, &issuing}, 3, TRUSTED, VERIFIED);
	check_chain((const struct pki *[]){&leaf}, 1, UNTRUSTED, NOT_TRUSTED);
	check_chain((const struct pki *[]){&other, &other_root}, 2, UNTRUSTED, NOT_TRUSTED);
	check_chain((const struct pki *[]){&alone}, 1, UNTRUSTED, NOT_TRUSTED);
	check_chain((const struct pki *[]){&misled, &false_ca}, 2, UNTRUSTED, NOT_TRUSTED);
	pki_free(&direct);
	pki_free(&leaf);
	pki_free(&other);
	pki_free(&alone);
	pki_free(&false_ca);
	pki_free(&misled);
}

/* The moment counts, also within a day, and one day's answer is asked for once. */
static void
test_times(void **state)
{
	const struct pki_wish wish = {
	    .cn = "x", .san = "DNS:" HOST, .by = &issuing, .from = -3600, .until = 3600};
	struct pki leaf = pki_make(&wish);
	const struct pki *chain[] = {&leaf, &issuing};
	struct asked *a = ask(chain, 2);
	size_t before = verdict_engine_count(engine).verified;
	struct verdict v;

	(void)state;
	for (int i = -3600; i < 3600; i += 60) {
		a->question.time_ms = (PKI_NOW + i) * INT64_C(1000);
		v = judge(a);
		check(&v, LEVEL_VERIFY, VERIFIED);
	}
	assert_in_range(verdict_engine_count(engine).verified - before, 1, 2);
	a->question.time_ms = (PKI_NOW + 3600) * INT64_C(1000) - 1;
	v = judge(a);
	check(&v, LEVEL_VERIFY, VERIFIED);
	a->question.time_ms++;
	v = judge(a);
	check(&v, LEVEL_VERIFY, EXPIRED);
	a->question.time_ms = (PKI_NOW - 3600) * INT64_C(1000) - 1;
	v = judge(a);
	check(&v, LEVEL_VERIFY, FAILURE);
	done(a);
	pki_free(&leaf);
}

/* ---- without a chain --------------------------------------------------------------------- */

static void
test_outcomes(void **state)
{
	struct pki leaf = pki_make(&(struct pki_wish){.cn = "x", .san = "DNS:" HOST, .by = &root});
	const struct pki *chain[] = {&leaf};
	struct asked *a = ask(chain, 1);
	struct verdict v;
	struct err err = {0};

	(void)state;
	a->evidence.tls_version = "TLSv1"; /* OpenSSL 3.0 has it at security level 0 alone */
	v = judge(a);
	check(&v, LEVEL_ENCRYPT, TRUSTED);
	check(&v, LEVEL_VERIFY, "- defers validation-failure");
	check(&v, LEVEL_FINGERPRINT, "- defers validation-failure");
	a->evidence.outcome = OUTCOME_HANDSHAKE_ERROR; /* the chain was seen all the same */
	v = judge(a);
	check(&v, LEVEL_MAY, "- delivers");
	check(&v, LEVEL_ENCRYPT, "- defers validation-failure");
	a->evidence.chain_n = 0;
	assert_int_equal(verdict_of(engine, &a->question, &v, &err), 0);
	a->evidence.outcome = OUTCOME_TLS_ALERT;
	a->evidence.tls_alert = 40;
	v = judge(a);
	check(&v, LEVEL_MAY, "- delivers");
	check(&v, LEVEL_SECURE, "- defers validation-failure");
	a->evidence.outcome = OUTCOME_STARTTLS_NOT_OFFERED;
	a->evidence.tls_alert = -1;
	a->evidence.smtp_code = 250;
	v = judge(a);
	check(&v, LEVEL_NONE, "- delivers");
	check(&v, LEVEL_MAY, "- delivers");
	check(&v, LEVEL_ENCRYPT, "- defers starttls-not-supported");
	check(&v, LEVEL_VERIFY, "- defers starttls-not-supported");
	check(&v, LEVEL_DANE, "unknown");
	a->evidence.outcome = OUTCOME_CONNECTION_REFUSED;
	assert_int_equal(verdict_of(engine, &a->question, &v, &err), 0);
	done(a);
	a = ask(chain, 1);
	a->certificates[0].len = 0;
	a->question.host = "mx3.example.org"; /* nothing that was verified before */
	assert_int_equal(verdict_of(engine, &a->question, &v, &err), 0);
	done(a);
	a = ask(chain, 1);
	a->question.offer = OFFER_TLS1_2;
	assert_int_equal(verdict_of(engine, &a->question, &v, &err), 0);
	a->question.offer = OFFER_ECDSA;
	v = judge(a);
	check(&v, LEVEL_VERIFY, VERIFIED);
	a->question.nexthop = NULL;
	v = judge(a);
	check(&v, LEVEL_SECURE, "unknown");
	a->certificates[0].len--; /* no certificate: no handshake */
	a->question.host = "mx2.example.org";
	v = judge(a);
	check(&v, LEVEL_ENCRYPT, "- defers validation-failure");
	done(a);
	pki_free(&leaf);
}

/* ---- DANE -------------------------------------------------------------------------------- */

static struct conclude_answer
answer(enum dns_status status, bool found)
{
	return (struct conclude_answer){true, status, found};
}

/* "U S M" and the data of a certificate for it. */
static char *
tlsa_of(const struct pki *p, unsigned usage, unsigned selector, unsigned matching)
{
	unsigned char *der = NULL, md[EVP_MAX_MD_SIZE];
	unsigned md_len = 0;
	int len = selector == 0 ? i2d_X509(p->x, &der) : i2d_PUBKEY(p->key, &der);
	struct buf text = {0};

	buf_printf(&text, "%u %u %u ", usage, selector, matching);
	if (matching == 0) {
		buf_append_hex(&text, der, (size_t)len);
	} else {
		EVP_Digest(der, (size_t)len, md, &md_len,
		    matching == 2 ? EVP_sha512() : EVP_sha256(), NULL);
		buf_append_hex(&text, md, md_len);
	}
	OPENSSL_free(der);
	buf_append_byte(&text, '\0');
	return (char *)text.data;
}

static void
check_dane(const struct pki *const *chain, size_t n, const char *const *records, size_t records_n,
    const char *dane, const char *dane_only)
{
	struct asked *a = ask(chain, n);
	struct verdict v;

	a->question.dns = (struct conclude_dns){.mx = answer(DNS_SECURE, true),
	    .address = answer(DNS_SECURE, true),
	    .tlsa = answer(DNS_SECURE, records_n > 0),
	    .records = records,
	    .records_n = records_n};
	v = judge(a);
	check(&v, LEVEL_DANE, dane);
	check(&v, LEVEL_DANE_ONLY, dane_only);
	done(a);
}

static void
test_dane(void **state)
{
	const struct pki_wish wish = {.cn = "x", .san = "DNS:" HOST, .by = &issuing};
	const struct pki_wish alone_wish = {
	    .cn = "x", .san = "DNS:mx.example.net", .from = -9 * PKI_DAY, .until = -PKI_DAY};
	const struct pki_wish elsewhere_wish = {
	    .cn = "x", .san = "DNS:mx.example.net", .by = &issuing};
	struct pki leaf = pki_make(&wish), alone = pki_make(&alone_wish);
	struct pki elsewhere = pki_make(&elsewhere_wish);
	const struct pki *chain[] = {&leaf, &issuing, &root}, *one[] = {&alone};
	const struct pki *misnamed[] = {&elsewhere, &issuing, &root};
	char *record, *pair[2];

	(void)state;
	/* Every selector and type, of the leaf and of the CA; a root is no better than that. */
	for (unsigned selector = 0; selector < 2; selector++) {
		for (unsigned matching = 0; matching < 3; matching++) {
			record = tlsa_of(&leaf, 3, selector, matching);
			check_dane(chain, 3, (const char *[]){record}, 1, VERIFIED, VERIFIED);
			check_dane(one, 1, (const char *[]){record}, 1, FAILURE, FAILURE);
			free(record);
			record = tlsa_of(&issuing, 2, selector, matching);
			check_dane(chain, 3, (const char *[]){record}, 1, VERIFIED, VERIFIED);
			check_dane(chain, 2, (const char *[]){record}, 1, VERIFIED, VERIFIED);
			check_dane(misnamed, 3, (const char *[]){record}, 1, MISMATCH, MISMATCH);
			free(record);
			/* Expired, self-signed, of another name: usage 3 does not mind. */
			record = tlsa_of(&alone, 3, selector, matching);
			check_dane(one, 1, (const char *[]){record}, 1, VERIFIED, VERIFIED);
			free(record);
		}
	}
	record = tlsa_of(&root, 2, 0, 1);
	check_dane(chain, 3, (const char *[]){record}, 1, VERIFIED, VERIFIED);
	check_dane(chain, 2, (const char *[]){record}, 1, FAILURE, FAILURE); /* it is not sent */
	free(record);
	/* Usages 0 and 1 are not for SMTP: as if unusable. */
	record = tlsa_of(&leaf, 1, 1, 1);
	check_dane(chain, 3, (const char *[]){record}, 1, TRUSTED, "- defers tlsa-invalid");
	check_dane(one, 1, (const char *[]){record}, 1, UNTRUSTED, "- defers tlsa-invalid");
	free(record);
	/* OpenSSL takes neither an unknown type nor a digest that is too short. */
	check_dane(
	    chain, 3, (const char *[]){"3 1 9 00"}, 1, TRUSTED, "Untrusted defers tlsa-invalid");
	check_dane(
	    chain, 3, (const char *[]){"3 1 1 abcd"}, 1, TRUSTED, "Untrusted defers tlsa-invalid");
	check_dane(chain, 3, (const char *[]){"3 1 1 xyz"}, 1, TRUSTED, "- defers tlsa-invalid");
	check_dane(chain, 3, NULL, 0, TRUSTED, "- defers dane-required");
	/* Agility: where SHA-512 is there, SHA-256 of the same usage and selector does not count.
	 */
	pair[0] = tlsa_of(&leaf, 3, 1, 1);
	pair[1] = tlsa_of(&alone, 3, 1, 2);
	check_dane(chain, 3, (const char *[]){pair[0], pair[1]}, 2, FAILURE, FAILURE);
	check_dane(one, 1, (const char *[]){pair[0], pair[1]}, 2, VERIFIED, VERIFIED);
	free(pair[1]);
	pair[1] = tlsa_of(&alone, 3, 1, 1);
	check_dane(chain, 3, (const char *[]){pair[0], pair[1]}, 2, VERIFIED, VERIFIED);
	free(pair[0]);
	free(pair[1]);
	pki_free(&leaf);
	pki_free(&alone);
	pki_free(&elsewhere);
}

/* What DNS said of the names, before any record is looked at. */
static void
test_dane_dns(void **state)
{
	static const struct {
		enum dns_status mx, address, tlsa;
		bool found;
		const char *dane, *dane_only;
	} cases[] = {
	    {DNS_SECURE, DNS_SECURE, DNS_SECURE, true, VERIFIED, VERIFIED},
	    {DNS_INSECURE, DNS_SECURE, DNS_SECURE, true, TRUSTED, "- defers dane-required"},
	    {DNS_SECURE, DNS_INSECURE, DNS_INSECURE, true, TRUSTED, "- defers dane-required"},
	    {DNS_SECURE, DNS_INSECURE, DNS_FAILED, false, TRUSTED, "- defers dane-required"},
	    {DNS_SECURE, DNS_SECURE, DNS_INSECURE, true, TRUSTED, "- defers dane-required"},
	    {DNS_SECURE, DNS_SECURE, DNS_SECURE, false, TRUSTED, "- defers dane-required"},
	    {DNS_SECURE, DNS_SECURE, DNS_BOGUS, false, "- defers dnssec-invalid",
		"- defers dnssec-invalid"},
	    {DNS_SECURE, DNS_SECURE, DNS_FAILED, false, "- defers dnssec-invalid",
		"- defers dnssec-invalid"},
	    {DNS_BOGUS, DNS_SECURE, DNS_SECURE, true, "- defers dnssec-invalid",
		"- defers dnssec-invalid"},
	    {DNS_UNVALIDATED, DNS_UNVALIDATED, DNS_UNVALIDATED, true, "unknown", "unknown"},
	};
	struct pki leaf = pki_make(&(struct pki_wish){.cn = "x", .san = "DNS:" HOST, .by = &root});
	const struct pki *chain[] = {&leaf};
	char *record = tlsa_of(&leaf, 3, 1, 1);
	const char *records[] = {record};
	struct verdict v;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asked *a = ask(chain, 1);

		print_message("case %zu\n", i);
		a->question.dns = (struct conclude_dns){.mx = answer(cases[i].mx, true),
		    .address = answer(cases[i].address, true),
		    .tlsa = answer(cases[i].tlsa, cases[i].found),
		    .records = records,
		    .records_n = cases[i].found};
		v = judge(a);
		check(&v, LEVEL_DANE, cases[i].dane);
		check(&v, LEVEL_DANE_ONLY, cases[i].dane_only);
		/* Half of it, where the sender says so. */
		if (i == 1) {
			a->question.dns.insecure_mx = LEVEL_DANE;
			v = judge(a);
			check(&v, LEVEL_DANE, TRUSTED);
			a->question.dns.insecure_mx = LEVEL_ENCRYPT;
			v = judge(a);
			check(&v, LEVEL_DANE, TRUSTED);
		}
		done(a);
	}
	free(record);
	pki_free(&leaf);
}

/* ---- MTA-STS ----------------------------------------------------------------------------- */

static void
test_sts(void **state)
{
	struct pki leaf = pki_make(&(struct pki_wish){.cn = "x", .san = "DNS:" HOST, .by = &root});
	struct pki elsewhere =
	    pki_make(&(struct pki_wish){.cn = "x", .san = "DNS:mx.example.net", .by = &root});
	const struct pki *chain[] = {&leaf}, *misnamed[] = {&elsewhere};
	char other[] = "other.example.org", below[] = "*.example.org";
	char deeper[] = "*.b.example.org", host[] = HOST;
	struct sts_policy policy = {.mx = (char *[]){other, below}, .mx_n = 2};
	struct asked *a = ask(chain, 1);
	struct verdict v = judge(a);

	(void)state;
	assert_false(v.levels[LEVEL_STS_ENFORCE].defined);
	a->question.sts = (struct conclude_sts){CONCLUDE_STS_ENFORCE, &policy};
	v = judge(a);
	check(&v, LEVEL_STS_ENFORCE, VERIFIED);
	assert_false(v.levels[LEVEL_STS_TESTING].defined);
	policy = (struct sts_policy){.mx = (char *[]){deeper}, .mx_n = 1};
	v = judge(a);
	check(&v, LEVEL_STS_ENFORCE, "Trusted defers validation-failure");
	a->question.sts.state = CONCLUDE_STS_INVALID;
	v = judge(a);
	check(&v, LEVEL_STS_ENFORCE, "Trusted delivers sts-policy-invalid");
	done(a);
	a = ask(misnamed, 1);
	policy = (struct sts_policy){.mx = (char *[]){host}, .mx_n = 1};
	a->question.sts = (struct conclude_sts){CONCLUDE_STS_TESTING, &policy};
	v = judge(a);
	check(&v, LEVEL_STS_TESTING, "Untrusted delivers certificate-host-mismatch");
	a->evidence.outcome = OUTCOME_STARTTLS_NOT_OFFERED;
	a->evidence.chain_n = 0;
	v = judge(a);
	check(&v, LEVEL_STS_TESTING, "- delivers starttls-not-supported");
	a->question.sts.state = CONCLUDE_STS_ENFORCE;
	v = judge(a);
	check(&v, LEVEL_STS_ENFORCE, "- defers starttls-not-supported");
	done(a);
	pki_free(&leaf);
	pki_free(&elsewhere);
}

/* ---- roots ------------------------------------------------------------------------------- */

static void
test_roots(void **state)
{
	struct verdict_rules rules = {.roots = "/etc/passwd", .postfix = level_postfix_default};
	struct verdict_engine *e;
	struct err err = {0}, second = {0};
	unsigned char *der = NULL;
	struct hash name;
	const struct hash *hash;

	(void)state;
	assert_int_equal(verdict_engine_create(&e, &rules, &err), ERR_INPUT);
	assert_null(e);
	assert_non_null(strstr(err.text, "/etc/passwd: no certificate in it"));
	rules.roots = "/nonexistent/roots";
	assert_int_equal(verdict_engine_create(&e, &rules, &second), ERR_SYSTEM);
	/* One certificate: the hash of its hash. */
	name = hash_sha256(der, 0);
	name = hash_sha256((i2d_X509(root.x, &der), der), (size_t)i2d_X509(root.x, NULL));
	name = hash_sha256(name.bytes, HASH_LEN);
	hash = verdict_roots(engine, &second);
	assert_non_null(hash);
	assert_memory_equal(hash->bytes, name.bytes, HASH_LEN);
	OPENSSL_free(der);
}

/* 100,000 observations of 2,000 pairs of chain and name: 2,000 verifications. */
static void
test_once_for_each(void **state)
{
	enum { LEAVES = 20, NAMES = 100, TIMES = 5 };
	struct pki leaves[LEAVES];
	size_t before = verdict_engine_count(engine).verified;
	char host[32];

	(void)state;
	for (size_t i = 0; i < LEAVES; i++)
		leaves[i] = pki_make(
		    &(struct pki_wish){.cn = "x", .san = "DNS:*.example.org", .by = &root});
	for (size_t t = 0; t < TIMES; t++) {
		for (size_t i = 0; i < LEAVES * NAMES; i++) {
			const struct pki *chain[] = {&leaves[i % LEAVES]};
			struct asked *a = ask(chain, 1);
			struct verdict v;

			snprintf(host, sizeof(host), "mx%zu.example.org", i / LEAVES);
			a->question.host = host;
			a->question.time_ms += (int64_t)(t * 1000);
			v = judge(a);
			check(&v, LEVEL_VERIFY, VERIFIED);
			done(a);
		}
	}
	assert_int_equal(verdict_engine_count(engine).verified - before, LEAVES * NAMES);
	for (size_t i = 0; i < LEAVES; i++)
		pki_free(&leaves[i]);
}

static int
set_up(void **state)
{
	struct verdict_rules rules = {.roots = roots_path, .postfix = level_postfix_default};
	struct err err = {0};
	int fd = mkstemp(roots_path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	root = pki_make(&(struct pki_wish){.cn = "root", .ca = 1, .path_len = -1});
	other_root = pki_make(&(struct pki_wish){.cn = "other root", .ca = 1, .path_len = -1});
	issuing =
	    pki_make(&(struct pki_wish){.cn = "issuing", .by = &root, .ca = 1, .path_len = 0});
	pki_write(roots_path, &root);
	return verdict_engine_create(&engine, &rules, &err);
}

static int
tear_down(void **state)
{
	(void)state;
	verdict_engine_destroy(engine);
	pki_free(&root);
	pki_free(&other_root);
	pki_free(&issuing);
	return unlink(roots_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_other_versions),
	    cmocka_unit_test(test_leaves),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_dane),
	    cmocka_unit_test(test_dane_dns),
	    cmocka_unit_test(test_sts),
	    cmocka_unit_test(test_roots),
	    cmocka_unit_test(test_once_for_each),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
