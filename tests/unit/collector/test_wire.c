/* Certificate messages of TLS 1.2 and 1.3, cut short at every octet and with lengths that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "collector/probe/wire.h"

static void
put_u24(struct buf *b, size_t v)
{
	buf_append_byte(b, (uint8_t)(v >> 16));
	buf_append_byte(b, (uint8_t)(v >> 8));
	buf_append_byte(b, (uint8_t)v);
}

/* A message of n certificates, the i-th being i + 1 octets of value 0x30 + i. */
static void
build(struct buf *message, size_t n, bool tls13)
{
	struct buf list = {0};

	for (size_t i = 0; i < n; i++) {
		put_u24(&list, i + 1);
		for (size_t k = 0; k <= i; k++)
			buf_append_byte(&list, (uint8_t)(0x30 + i));
		if (tls13) {
			buf_append_u16be(&list, 4); /* extensions: one, empty */
			buf_append_u16be(&list, 18);
			buf_append_u16be(&list, 0);
		}
	}
	buf_clear(message);
	buf_append_byte(message, WIRE_CERTIFICATE);
	put_u24(message, list.len + 3 + (tls13 ? 1 : 0));
	if (tls13)
		buf_append_byte(message, 0); /* request context */
	put_u24(message, list.len);
	buf_append(message, list.data, list.len);
	buf_finish(&list);
}

static void
test_certificates(void **state)
{
	struct wire_chain chain = {0};
	struct buf message = {0};

	for (int tls13 = 0; tls13 < 2; tls13++) {
		for (size_t n = 0; n < 20; n++) {
			build(&message, n, tls13);
			assert_true(wire_certificate(&chain, message.data, message.len, tls13));
			assert_int_equal(chain.n, n);
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(chain.parts[i].len, i + 1);
				assert_int_equal(chain.der.data[chain.parts[i].at], 0x30 + i);
			}
		}
	}
	wire_chain_finish(&chain);
	buf_finish(&message);
}

/* What is whole before the end stays; nothing behind it is read (ASan watches). */
static void
test_cut_short(void **state)
{
	for (int tls13 = 0; tls13 < 2; tls13++) {
		struct buf message = {0};

		build(&message, 3, tls13);
		for (size_t len = 0; len < message.len; len++) {
			struct wire_chain chain = {0};
			struct buf copy = {0};

			buf_append(&copy, message.data, len);
			assert_false(wire_certificate(&chain, copy.data, copy.len, tls13));
			assert_true(chain.n <= 3);
			buf_finish(&copy);
			wire_chain_finish(&chain);
		}
		buf_finish(&message);
	}
}

/* Each octet of the message set to each of some values: never more than the message holds. */
static void
test_lengths_that_lie(void **state)
{
	static const uint8_t values[] = {0, 1, 2, 3, 0x7f, 0x80, 0xff};

	for (int tls13 = 0; tls13 < 2; tls13++) {
		struct buf message = {0};

		build(&message, 3, tls13);
		for (size_t at = 0; at < message.len; at++) {
			for (size_t v = 0; v < sizeof(values); v++) {
				struct wire_chain chain = {0};
				uint8_t was = message.data[at];

				message.data[at] = values[v];
				wire_certificate(&chain, message.data, message.len, tls13);
				assert_true(chain.der.len <= message.len);
				message.data[at] = was;
				wire_chain_finish(&chain);
			}
		}
		buf_finish(&message);
	}
}

static void
test_empty_certificate_breaks(void **state)
{
	static const uint8_t message[] = {11, 0, 0, 11, 0, 0, 8, 0, 0, 1, 0xaa, 0, 0, 0, 0};
	struct wire_chain chain = {0};

	assert_false(wire_certificate(&chain, message, sizeof(message), false));
	assert_int_equal(chain.n, 1);
	assert_int_equal(chain.der.data[0], 0xaa);
	wire_chain_finish(&chain);
}

static bool
chain_of(size_t n, size_t *got)
{
	struct wire_chain chain = {0};
	struct buf message = {0};
	bool whole;

	buf_append_byte(&message, WIRE_CERTIFICATE);
	put_u24(&message, 3 + 4 * n);
	put_u24(&message, 4 * n);
	for (size_t i = 0; i < n; i++) {
		put_u24(&message, 1);
		buf_append_byte(&message, 0x30);
	}
	whole = wire_certificate(&chain, message.data, message.len, false);
	*got = chain.n;
	wire_chain_finish(&chain);
	buf_finish(&message);
	return whole;
}

static void
test_chain_limit(void **state)
{
	size_t n;

	assert_true(chain_of(LIMIT_CHAIN, &n));
	assert_int_equal(n, LIMIT_CHAIN);
	assert_false(chain_of(LIMIT_CHAIN + 1, &n));
	assert_int_equal(n, LIMIT_CHAIN);
}

/* A ServerHello with one extension of no content, or none at all. */
static enum tristate
server_hello(int extension, bool with_list)
{
	struct buf message = {0};
	enum tristate answer;

	buf_append_byte(&message, WIRE_SERVER_HELLO);
	put_u24(&message, 38u + (with_list ? (extension >= 0 ? 6 : 2) : 0));
	buf_append_u16be(&message, 0x0303);
	for (int i = 0; i < 32; i++)
		buf_append_byte(&message, 7);
	buf_append_byte(&message, 0);
	buf_append_u16be(&message, 0xc02f);
	buf_append_byte(&message, 0);
	if (with_list) {
		buf_append_u16be(&message, extension >= 0 ? 4 : 0);
		if (extension >= 0) {
			buf_append_u16be(&message, (uint16_t)extension);
			buf_append_u16be(&message, 0);
		}
	}
	answer = wire_sni_acknowledged(message.data, message.len);
	for (size_t len = 0; len < message.len; len++)
		wire_sni_acknowledged(message.data, len);
	buf_finish(&message);
	return answer;
}

static void
test_sni(void **state)
{
	static const uint8_t yes[] = {8, 0, 0, 6, 0, 4, 0, 0, 0, 0}, no[] = {8, 0, 0, 2, 0, 0},
			     other[] = {8, 0, 0, 6, 0, 4, 0, 16, 0, 0},
			     broken[] = {8, 0, 0, 6, 0, 4, 0, 0, 0, 9},
			     finished[] = {20, 0, 0, 2, 0, 0};

	assert_int_equal(server_hello(0, true), TRI_TRUE);
	assert_int_equal(server_hello(23, true), TRI_FALSE);
	assert_int_equal(server_hello(-1, true), TRI_FALSE);
	assert_int_equal(server_hello(-1, false), TRI_FALSE);
	assert_int_equal(server_hello(43, true), TRI_NULL); /* TLS 1.3 says it later */
	assert_int_equal(wire_sni_acknowledged(yes, sizeof(yes)), TRI_TRUE);
	assert_int_equal(wire_sni_acknowledged(no, sizeof(no)), TRI_FALSE);
	assert_int_equal(wire_sni_acknowledged(other, sizeof(other)), TRI_FALSE);
	assert_int_equal(wire_sni_acknowledged(broken, sizeof(broken)), TRI_NULL);
	assert_int_equal(wire_sni_acknowledged(finished, sizeof(finished)), TRI_NULL);
	assert_int_equal(wire_sni_acknowledged(NULL, 0), TRI_NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_cut_short),
	    cmocka_unit_test(test_lengths_that_lie),
	    cmocka_unit_test(test_empty_certificate_breaks),
	    cmocka_unit_test(test_chain_limit),
	    cmocka_unit_test(test_sni),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
