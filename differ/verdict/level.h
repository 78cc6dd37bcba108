/*
 * level: the words of verdicts. The levels are Postfix's TLS security levels (TLS_README, "client
 * TLS security levels") and MTA-STS's modes (RFC 8461 section 5); the words are those that
 * Postfix logs of a TLS connection; the reasons are the result types of RFC 8460 section 4.3.
 */
#ifndef MX509_LEVEL_H
#define MX509_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are printed. */
enum level {
	LEVEL_NONE,
	LEVEL_MAY,
	LEVEL_ENCRYPT,
	LEVEL_DANE,
	LEVEL_DANE_ONLY,
	LEVEL_FINGERPRINT,
	LEVEL_VERIFY,
	LEVEL_SECURE,
	LEVEL_STS_TESTING,
	LEVEL_STS_ENFORCE,
	LEVEL_N
};

/* The higher, the better. */
enum level_word {
	WORD_NULL, /* no TLS */
	WORD_ANONYMOUS,
	WORD_UNTRUSTED,
	WORD_TRUSTED,
	WORD_VERIFIED,
	WORD_N
};

enum level_reason {
	REASON_NULL, /* nothing to say against it */
	REASON_STARTTLS_NOT_SUPPORTED,
	REASON_CERTIFICATE_HOST_MISMATCH,
	REASON_CERTIFICATE_EXPIRED,
	REASON_CERTIFICATE_NOT_TRUSTED,
	REASON_VALIDATION_FAILURE,
	REASON_TLSA_INVALID,
	REASON_DNSSEC_INVALID,
	REASON_DANE_REQUIRED,
	REASON_STS_POLICY_FETCH_ERROR,
	REASON_STS_POLICY_INVALID,
	REASON_STS_WEBPKI_INVALID,
	REASON_N
};

const char *level_name(enum level level);
bool level_parse(const char *text, enum level *level);
const char *level_word_name(enum level_word word);	 /* NULL of WORD_NULL */
const char *level_reason_name(enum level_reason reason); /* NULL of REASON_NULL */

/* Which Postfix: "3.7", or with a patch level where that matters, "3.10.3". */
#define LEVEL_POSTFIX_MAX 16
struct level_postfix {
	char text[LEVEL_POSTFIX_MAX]; /* as given */
	unsigned minor;		      /* of 3 */
	unsigned patch;		      /* UINT_MAX: the newest of its branch */
};

/* Debian 12's. */
extern const struct level_postfix level_postfix_default;

/* 3.4 to 3.11. */
bool level_postfix_parse(const char *text, struct level_postfix *postfix);

/* Whether a chain that is trusted, of a certificate that has not the name that the level wants, is
 * Trusted, not Untrusted: up to 3.5, and again from 3.10.4 on. */
bool level_postfix_trusts_other_names(const struct level_postfix *postfix);

#endif
