/*
 * Every kind of fault that X.690 and RFC 5280 know: by which list it is told, at which place, at
 * which octet, by which clause; and that what can be read is read all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "differ/certificate/cert.h"
#include "differ/facts/facts.h"
#include "differ/out/out_json.h"

#define TBS "tbsCertificate."
#define EXT0 TBS "extensions[0].extnValue"
#define EXTENSIONS(list) "a3(30(" list "))"
#define NAME(avas) "30(" avas ")"
#define AVA(oid, value) "30(06(" oid ")" value ")"

enum { NONE = FIELD_N };

static const struct {
	enum build_part part;
	const char *octets;
	enum fault_kind kind;
	const char *at;
	size_t offset; /* from the begin of the part */
	const char *why;
	int field; /* NONE, or one that still has this value */
	const char *json;
} cases[] = {
    /* lengths and tags: X.690 8.1, 10.1 */
    {BUILD_SUBJECT, "30 81 0c 31(30(06(550403)0c('b')))", FAULT_NOT_DER, TBS "subject", 0, "10.1",
	FIELD_SUBJECT, "\"CN=b\""},
    {BUILD_SUBJECT, "30 80 31(30(06(550403)0c('b'))) 0000", FAULT_NOT_DER, TBS "subject", 0, "10.1",
	FIELD_SUBJECT, "\"CN=b\""},
    {BUILD_SUBJECT, "30 80 31(30(06(550403)0c('b')))", FAULT_MALFORMED, TBS "subject", 0, "8.1.3.6",
	FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)05 81 00)", FAULT_MALFORMED, TBS "signature.parameters",
	13, "10.1", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)05 ff)", FAULT_MALFORMED, TBS "signature.parameters",
	13, "8.1.3", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(30(06(550403)0c 7f 'b'))"), FAULT_MALFORMED, TBS "subject[0][0].value",
	11, "8.1.3", FIELD_ISSUER, "\"CN=ca\""},
    /* INTEGER: 8.3 */
    {BUILD_SERIAL, "02()", FAULT_MALFORMED, TBS "serialNumber", 0, "8.3.1", FIELD_SUBJECT,
	"\"CN=leaf\""},
    {BUILD_SERIAL, "02(0001)", FAULT_NOT_DER, TBS "serialNumber", 0, "8.3.2", FIELD_SERIAL,
	"\"01\""},
    {BUILD_SERIAL, "02(ff80)", FAULT_NOT_DER, TBS "serialNumber", 0, "8.3.2", FIELD_SERIAL,
	"\"-80\""},
    {BUILD_VERSION, "a0(02(0002))", FAULT_MALFORMED, TBS "version", 2, "8.3.2", FIELD_SERIAL,
	"\"01\""},
    /* versions: RFC 5280 4.1.2.1, 4.1.2.8, 4.1.2.9 */
    {BUILD_VERSION, "a0(02(00))", FAULT_NOT_DER, TBS "version", 0, "11.5", FIELD_VERSION, "1"},
    {BUILD_VERSION, "a0(02(07))", FAULT_NOT_DER, TBS "version", 2, "4.1.2.1", FIELD_VERSION, "8"},
    {BUILD_VERSION, "", FAULT_NOT_DER, TBS "extensions", 0, "4.1.2.9", FIELD_BASIC_CONSTRAINTS,
	"{\"ca\":true,\"path_len\":3,\"critical\":true}"},
    {BUILD_VERSION, "a0(02(02)05())", FAULT_MALFORMED, TBS "version", 5, "too many", FIELD_SERIAL,
	"\"01\""},
    /* AlgorithmIdentifier and any type: 8.1.5, 8.2, 8.8, 8.9, 8.19 */
    {BUILD_INNER, "30(06(2a864886f70d01010b)05(00))", FAULT_MALFORMED, TBS "signature.parameters",
	13, "8.8.2", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)25())", FAULT_MALFORMED, TBS "signature.parameters", 13,
	"8.8.1", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)00())", FAULT_MALFORMED, TBS "signature.parameters", 13,
	"8.1.5", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)10(0500))", FAULT_MALFORMED, TBS "signature.parameters",
	13, "8.9.1", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a864886f70d01010b)05()05())", FAULT_MALFORMED, TBS "signature", 15,
	"2 octets too many", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06()05())", FAULT_MALFORMED, TBS "signature.algorithm", 2, "8.19.2",
	FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a80 01)05())", FAULT_MALFORMED, TBS "signature.algorithm", 2, "8.19.2",
	FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_INNER, "30(06(2a86)05())", FAULT_MALFORMED, TBS "signature.algorithm", 2, "8.19.2",
	FIELD_ISSUER, "\"CN=ca\""},
    /* names: 8.23, 10.2, 11.6, X.680 41 */
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "0c(c3)") ")"), FAULT_MALFORMED,
	TBS "subject[0][0].value", 11, "8.23.10", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "1e(00)") ")"), FAULT_MALFORMED,
	TBS "subject[0][0].value", 11, "8.23.8", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "1e(d83dde00)") ")"), FAULT_NOT_DER,
	TBS "subject[0][0].value", 11, "41.15", FIELD_SUBJECT, "\"CN=\xf0\x9f\x98\x80\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "1c(00110000)") ")"), FAULT_MALFORMED,
	TBS "subject[0][0].value", 11, "8.23.7", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "13('a_b')") ")"), FAULT_NOT_DER,
	TBS "subject[0][0].value", 11, "5F is not", FIELD_SUBJECT, "\"CN=a_b\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "2c(0c('a'))") ")"), FAULT_MALFORMED,
	TBS "subject[0][0].value", 11, "10.2", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "02(05)") ")"), FAULT_MALFORMED,
	TBS "subject[0][0].value", 11, "A.1", FIELD_ISSUER, "\"CN=ca\""},
    {BUILD_SUBJECT, NAME("31(" AVA("2a0304", "02(05)") ")"), FAULT_KINDS, NULL, 0, NULL,
	FIELD_SUBJECT, "\"1.2.3.4=#020105\""},
    {BUILD_SUBJECT, NAME("31(" AVA("550403", "03(0181)") ")"), FAULT_NOT_DER,
	TBS "subject[0][0].value", 11, "11.2.1", FIELD_SUBJECT, "\"CN=#03020180\""},
    {BUILD_SUBJECT, NAME("31(" AVA("55040a", "0c('b')") AVA("550403", "0c('a')") ")"),
	FAULT_NOT_DER, TBS "subject[0][1]", 14, "11.6", FIELD_SUBJECT, "\"CN=a+O=b\""},
    {BUILD_SUBJECT, NAME("31()"), FAULT_NOT_DER, TBS "subject[0]", 2, "4.1.2.4", FIELD_SUBJECT,
	"\"\""},
    /* times: 11.7, 11.8, RFC 5280 4.1.2.5 */
    {BUILD_VALIDITY, "30(17('230230000000Z')17('330101000000Z'))", FAULT_MALFORMED,
	TBS "validity.notBefore", 2, "11.8", FIELD_NOT_AFTER, "\"2033-01-01T00:00:00Z\""},
    {BUILD_VALIDITY, "30(17('2301010000Z')17('330101000000Z'))", FAULT_NOT_DER,
	TBS "validity.notBefore", 2, "11.8", FIELD_NOT_BEFORE, "\"2023-01-01T00:00:00Z\""},
    {BUILD_VALIDITY, "30(17('230101000000+0100')17('330101000000Z'))", FAULT_NOT_DER,
	TBS "validity.notBefore", 2, "11.8", FIELD_NOT_BEFORE, "\"2022-12-31T23:00:00Z\""},
    {BUILD_VALIDITY, "30(17('230101000000Z')18('20330101000000.5Z'))", FAULT_NOT_DER,
	TBS "validity.notAfter", 17, "11.7", FIELD_NOT_AFTER, "\"2033-01-01T00:00:00Z\""},
    {BUILD_VALIDITY, "30(17('230101000000Z')0c('330101000000Z'))", FAULT_MALFORMED,
	TBS "validity.notAfter", 17, "4.1.2.5", FIELD_NOT_BEFORE, "\"2023-01-01T00:00:00Z\""},
    /* the key: its own affair */
    {BUILD_KEY, "30(30(06(2a864886f70d010101)05())03(0030(02()02(03))))", FAULT_NOT_DER,
	TBS "subjectPublicKeyInfo.subjectPublicKey", 22, "8.3.1", FIELD_KEY_EXPONENT, "3"},
    {BUILD_KEY, "30(30(06(2a864886f70d010101)05())03(0030(02(07)02(03))0500))", FAULT_NOT_DER,
	TBS "subjectPublicKeyInfo.subjectPublicKey", 28, "after the key", FIELD_KEY_BITS, "3"},
    {BUILD_KEY, "30(30(06(2a864886f70d010101)05())03(0004(00)))", FAULT_NOT_DER,
	TBS "subjectPublicKeyInfo.subjectPublicKey", 20, "SEQUENCE must stand", FIELD_KEY_ALGORITHM,
	"\"rsaEncryption\""},
    {BUILD_KEY, "30(30(06(2b6570))03(08aa))", FAULT_MALFORMED,
	TBS "subjectPublicKeyInfo.subjectPublicKey", 9, "8.6.2", FIELD_SUBJECT, "\"CN=leaf\""},
    {BUILD_UNIQUE_IDS, "82(0381)", FAULT_NOT_DER, TBS "subjectUniqueID", 0, "11.2.1",
	FIELD_SUBJECT_UNIQUE_ID, "\"0381\""},
    /* extensions: RFC 5280 4.2, X.690 11.1, 11.2, 11.5 */
    {BUILD_EXTENSIONS, EXTENSIONS(""), FAULT_NOT_DER, TBS "extensions", 2, "4.1.2.9",
	FIELD_EXTENSIONS, "[]"},
    {BUILD_EXTENSIONS, EXTENSIONS("30(06(551d13)01(00)04(30()))"), FAULT_NOT_DER,
	TBS "extensions[0].critical", 11, "11.5", FIELD_BASIC_CONSTRAINTS,
	"{\"ca\":false,\"path_len\":null,\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS("30(06(551d13)01(01)04(30()))"), FAULT_NOT_DER,
	TBS "extensions[0].critical", 11, "11.1", FIELD_BASIC_CONSTRAINTS,
	"{\"ca\":false,\"path_len\":null,\"critical\":true}"},
    {BUILD_EXTENSIONS, EXTENSIONS("30(06(551d13)01(ffff)04(30()))"), FAULT_MALFORMED,
	TBS "extensions[0].critical", 11, "8.2.1", FIELD_SUBJECT, "\"CN=leaf\""},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d13", "30(01(00))")), FAULT_NOT_DER,
	EXT0 ".cA", 15, "11.5", FIELD_BASIC_CONSTRAINTS,
	"{\"ca\":false,\"path_len\":null,\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d13", "30()0500")), FAULT_NOT_DER, EXT0, 15,
	"2 octets after", FIELD_BASIC_CONSTRAINTS,
	"{\"ca\":false,\"path_len\":null,\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d13", "30(01(ff)05())")), FAULT_MALFORMED,
	EXT0, 18, "too many", FIELD_SUBJECT, "\"CN=leaf\""},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d0f", "03(0080)")), FAULT_NOT_DER, EXT0, 13,
	"11.2.2", FIELD_KEY_USAGE, "{\"bits\":[\"digitalSignature\"],\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d0f", "03(07ff)")), FAULT_NOT_DER, EXT0, 13,
	"11.2.1", FIELD_KEY_USAGE, "{\"bits\":[\"digitalSignature\"],\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d25", "30()")), FAULT_NOT_DER, EXT0, 13,
	"empty list", FIELD_EXTENDED_KEY_USAGE, "{\"oids\":[],\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d25", "10(06(2a03))")), FAULT_NOT_DER, EXT0,
	13, "8.9.1", FIELD_EXTENDED_KEY_USAGE, "{\"oids\":[\"1.2.3\"],\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d11", "30(82(ff))")), FAULT_NOT_DER,
	EXT0 "[0]", 15, "FF is not", FIELD_SUBJECT_ALT_NAMES,
	"{\"names\":[\"dns:\\\\xFF\"],\"critical\":false}"},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d11", "30(87(0102030405))")), FAULT_NOT_DER,
	EXT0 "[0]", 15, "4.2.1.6", FIELD_SUBJECT, "\"CN=leaf\""},
    {BUILD_EXTENSIONS, EXTENSIONS(BUILD_EXTENSION("551d11", "30(8a(00))")), FAULT_MALFORMED,
	EXT0 "[0]", 15, "4.2.1.6", FIELD_SUBJECT, "\"CN=leaf\""},
    {BUILD_EXTENSIONS,
	EXTENSIONS(BUILD_EXTENSION("2a03", "00") BUILD_EXTENSION("551d13", "30()")
		BUILD_EXTENSION("2a03", "01")),
	FAULT_MALFORMED, TBS "extensions[2]", 24, "duplicate of extensions[0]: RFC 5280 4.2",
	FIELD_BASIC_CONSTRAINTS, "{\"ca\":false,\"path_len\":null,\"critical\":false}"},
    /* the whole */
    {BUILD_SIGNATURE, "03()", FAULT_MALFORMED, "signatureValue", 0, "8.6.2", FIELD_SUBJECT,
	"\"CN=leaf\""},
    {BUILD_SIGNATURE, "03(00aa)0500", FAULT_MALFORMED, "certificate", 4, "too many", FIELD_SUBJECT,
	"\"CN=leaf\""},
    {BUILD_TRAILING, "00", FAULT_MALFORMED, "certificate", 0, "1 octet too many", FIELD_SUBJECT,
	"\"CN=leaf\""},
    /* no faults: what CONTRACT says are none */
    {BUILD_SERIAL, "02(ff)", FAULT_KINDS, NULL, 0, NULL, FIELD_SERIAL, "\"-01\""},
    {BUILD_SERIAL, "02(00)", FAULT_KINDS, NULL, 0, NULL, FIELD_SERIAL, "\"00\""},
    {BUILD_VALIDITY, "30(18('20330101000000Z')17('230101000000Z'))", FAULT_KINDS, NULL, 0, NULL,
	FIELD_NOT_AFTER, "\"2023-01-01T00:00:00Z\""},
    {BUILD_OUTER, "30(06(2a03))", FAULT_KINDS, NULL, 0, NULL, FIELD_SIGNATURE_ALGORITHMS_AGREE,
	"false"},
    {BUILD_KEY, "30(30(06(2a0305))03(00))", FAULT_KINDS, NULL, 0, NULL, FIELD_KEY_ALGORITHM,
	"\"1.2.3.5\""},
};

static const struct fault *
first_fault(const struct facts *facts, enum fault_kind kind, size_t *n)
{
	return cert_faults(facts_certificate(facts), kind, n, NULL);
}

static void
check(size_t i, const struct facts *facts, size_t part)
{
	size_t n[FAULT_KINDS];
	const struct fault *faults[FAULT_KINDS] = {
	    first_fault(facts, FAULT_MALFORMED, &n[0]), first_fault(facts, FAULT_NOT_DER, &n[1])};
	enum fault_kind kind = cases[i].kind;
	const struct fault *f;

	if (kind == FAULT_KINDS) {
		if (n[FAULT_MALFORMED] + n[FAULT_NOT_DER] > 0)
			fail_msg("%s: a fault is told", cases[i].octets);
		return;
	}
	if (n[kind] == 0 || (kind == FAULT_NOT_DER && n[FAULT_MALFORMED] > 0))
		fail_msg("%s: %zu malformed, %zu not DER", cases[i].octets, n[0], n[1]);
	f = &faults[kind][0];
	if (strcmp(f->at, cases[i].at) != 0 || strstr(f->why, cases[i].why) == NULL)
		fail_msg("%s: %s: %s", cases[i].octets, f->at, f->why);
	/* The list of extensions of a version 1 stands elsewhere than the part that was changed. */
	if (f->offset != part + cases[i].offset && cases[i].part != BUILD_VERSION)
		fail_msg("%s: octet %zu of the part", cases[i].octets, f->offset - part);
}

static void
test_each_fault(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *parts[BUILD_PARTS] = {NULL};
		struct buf der = {0}, json = {0};
		struct facts *facts;
		size_t offset;

		parts[cases[i].part] = cases[i].octets;
		build(&der, parts, cases[i].part, &offset);
		facts = facts_of_certificate(der.data, der.len);
		check(i, facts, offset);
		out_json_value(&json, facts_get(facts, (enum field)cases[i].field));
		if (strcmp(buf_text(&json), cases[i].json) != 0)
			fail_msg("%s: %s", cases[i].octets, buf_text(&json));
		facts_destroy(facts);
		buf_finish(&json);
		buf_finish(&der);
	}
}

/* ---- RSA-PSS ----------------------------------------------------------------------------- */

#define PSS(parameters) "30(06(2a864886f70d01010a)" parameters ")"
#define SHA256 "30(06(608648016503040201)05())"
#define SHA1 "30(06(2b0e03021a)05())"
#define MGF1 "06(2a864886f70d010108)"

static const struct {
	const char *algorithm, *json;
	size_t not_der;
} pss[] = {
    {PSS("30(a0(" SHA256 ")a1(30(" MGF1 SHA256 "))a2(02(20)))"),
	"{\"hash\":\"SHA256\",\"mgf\":\"MGF1\",\"mgf_hash\":\"SHA256\",\"salt_len\":32,"
	"\"trailer\":1}",
	0},
    {PSS("30()"),
	"{\"hash\":\"SHA1\",\"mgf\":\"MGF1\",\"mgf_hash\":\"SHA1\",\"salt_len\":20,"
	"\"trailer\":1}",
	0},
    {PSS("30(a0(" SHA1 ")a1(30(" MGF1 SHA1 "))a2(02(14))a3(02(01)))"),
	"{\"hash\":\"SHA1\",\"mgf\":\"MGF1\",\"mgf_hash\":\"SHA1\",\"salt_len\":20,"
	"\"trailer\":1}",
	4}, /* each an encoded default */
    {PSS("30(a1(30(06(60864801650304020b))))"),
	"{\"hash\":\"SHA1\",\"mgf\":\"SHAKE128\",\"mgf_hash\":null,\"salt_len\":20,"
	"\"trailer\":1}",
	0},
    {PSS("30(a2(04(20)))"), "{\"malformed\":\"INTEGER must stand here, not OCTET STRING\"}", 1},
    {PSS("05()"), "null", 1},
    {PSS(""), "null", 0},
};

static void
test_pss(void **state)
{
	for (size_t i = 0; i < sizeof(pss) / sizeof(pss[0]); i++) {
		const char *parts[BUILD_PARTS] = {[BUILD_OUTER] = pss[i].algorithm};
		struct buf der = {0}, json = {0};
		struct facts *facts;
		size_t malformed, not_der;

		build(&der, parts, BUILD_OUTER, NULL);
		facts = facts_of_certificate(der.data, der.len);
		first_fault(facts, FAULT_MALFORMED, &malformed);
		first_fault(facts, FAULT_NOT_DER, &not_der);
		out_json_value(&json, facts_get(facts, FIELD_SIGNATURE_PARAMETERS));
		if (malformed > 0 || not_der != pss[i].not_der ||
		    strcmp(buf_text(&json), pss[i].json) != 0)
			fail_msg("%s: %zu not DER, %s", pss[i].algorithm, not_der, buf_text(&json));
		facts_destroy(facts);
		buf_finish(&json);
		buf_finish(&der);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_fault), cmocka_unit_test(test_pss)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
