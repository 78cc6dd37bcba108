#include "level.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/names.h"

#define OLDEST 4
#define NEWEST 11

static const char *const names[LEVEL_N] = {
    [LEVEL_NONE] = "none",
    [LEVEL_MAY] = "may",
    [LEVEL_ENCRYPT] = "encrypt",
    [LEVEL_DANE] = "dane",
    [LEVEL_DANE_ONLY] = "dane-only",
    [LEVEL_FINGERPRINT] = "fingerprint",
    [LEVEL_VERIFY] = "verify",
    [LEVEL_SECURE] = "secure",
    [LEVEL_STS_TESTING] = "sts-testing",
    [LEVEL_STS_ENFORCE] = "sts-enforce",
};

static const char *const words[WORD_N] = {
    [WORD_ANONYMOUS] = "Anonymous",
    [WORD_UNTRUSTED] = "Untrusted",
    [WORD_TRUSTED] = "Trusted",
    [WORD_VERIFIED] = "Verified",
};

static const char *const reasons[REASON_N] = {
    [REASON_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [REASON_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [REASON_CERTIFICATE_EXPIRED] = "certificate-expired",
    [REASON_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [REASON_VALIDATION_FAILURE] = "validation-failure",
    [REASON_TLSA_INVALID] = "tlsa-invalid",
    [REASON_DNSSEC_INVALID] = "dnssec-invalid",
    [REASON_DANE_REQUIRED] = "dane-required",
    [REASON_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
    [REASON_STS_POLICY_INVALID] = "sts-policy-invalid",
    [REASON_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

const struct level_postfix level_postfix_default = {.text = "3.7", .minor = 7, .patch = UINT_MAX};

const char *
level_name(enum level level)
{
	return names_get(names, LEVEL_N, level);
}

bool
level_parse(const char *text, enum level *level)
{
	unsigned i;

	if (!names_find(names, LEVEL_N, text, &i))
		return false;
	*level = i;
	return true;
}

const char *
level_word_name(enum level_word word)
{
	return words[word];
}

const char *
level_reason_name(enum level_reason reason)
{
	return reasons[reason];
}

/* Digits alone, at most three. */
static bool
take_number(const char **text, unsigned *number)
{
	unsigned n = 0;

	for (*number = 0; **text >= '0' && **text <= '9' && n < 3; (*text)++, n++)
		*number = 10 * *number + (unsigned)(**text - '0');
	return n > 0;
}

bool
level_postfix_parse(const char *text, struct level_postfix *postfix)
{
	struct level_postfix p = {.patch = UINT_MAX};
	const char *at = text;

	if (strlen(text) >= sizeof(p.text) || strncmp(at, "3.", 2) != 0)
		return false;
	at += 2;
	if (!take_number(&at, &p.minor) || p.minor < OLDEST || p.minor > NEWEST)
		return false;
	if (*at == '.') {
		at++;
		if (!take_number(&at, &p.patch))
			return false;
	}
	if (*at != '\0')
		return false;
	snprintf(p.text, sizeof(p.text), "%s", text);
	*postfix = p;
	return true;
}

bool
level_postfix_trusts_other_names(const struct level_postfix *p)
{
	return p->minor <= 5 || p->minor > 10 || (p->minor == 10 && p->patch >= 4);
}
