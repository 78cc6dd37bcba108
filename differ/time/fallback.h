/*
 * fallback: what an address does when it gets no SNI, or a name that it does not know. RFC 8461
 * section 7.1 has it answer with a certificate all the same; servers break that rule.
 *
 * Told from two series: that of SNI `none` (or `unknown`), and that of the host's own name at the
 * same place. Where the latter was never observed, `same` cannot be told.
 *
 * `valid` goes by the facts of the certificate alone: within its dates at the time, and for the
 * host by its alternative names (RFC 6125 section 6.4; the common name where it has none). Whether
 * anybody trusts it is not asked here.
 */
#ifndef MX509_FALLBACK_H
#define MX509_FALLBACK_H

#include "change.h"

enum fallback_kind {
	FALLBACK_SAME,	      /* the certificate that the host's name brings */
	FALLBACK_VALID,	      /* another one, for this host and within its dates */
	FALLBACK_OTHER,	      /* another one that is not */
	FALLBACK_SENTINEL,    /* one that exists to say something */
	FALLBACK_ALERT,	      /* a TLS alert */
	FALLBACK_NO_STARTTLS, /* STARTTLS is not to be had */
	FALLBACK_REPORTED,    /* an imported log tells of no certificate */
	FALLBACK_N
};

struct fallback {
	enum fallback_kind kind;
	bool has_after;		     /* it began in (after, before]; else it was never otherwise */
	int64_t after_ms, before_ms; /* widened by the clock error; before: or the first sighting */
};

const char *fallback_name(enum fallback_kind kind);
const char *fallback_doc(
    enum fallback_kind kind); /* "the certificate that the host's name brings" */

/* 1, 0 (the series is of another SNI variant, or was never observed before until_ms), <0. */
int fallback_find(struct changes *changes, struct store_view *view, uint32_t number,
    const struct series *series, int64_t until_ms, struct fallback *fallback, struct err *err);

/* Whether a certificate is one for the host: exposed for its test. */
bool fallback_names_host(const struct facts *facts, const char *host);

#endif
