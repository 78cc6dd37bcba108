/*
 * verdict: what a sending MTA would have concluded from one observation, at each level, and why;
 * computed from stored evidence alone, at the time of the observation, under named roots. CONTRACT
 * "Verdict as JSON".
 *
 * A chain is verified once for each distinct (chain, names, TLSA records, UTC day) of a run, not
 * for each observation, and once more on a day within which one of its certificates begins or ends
 * to be valid. What was verified is kept for the run, up to VERDICT_KEPT of them. Nothing is
 * written anywhere.
 *
 * A verdict is of what this observation showed. Postfix sends no SNI at may, encrypt, verify and
 * secure unless servername= is set, and the TLSA base domain at dane and dane-only: so which
 * observation tells of which sender is the caller's to know (policy).
 *
 * What is open in the contract:
 * - There is none (verdict_of() returns 0) where nothing was observed, where only an imported log
 *   tells of it, where the DER of a certificate is not known, and of offers of one TLS version.
 * - A level that the evidence does not tell is null: dane and dane-only without an answer for TLSA,
 *   secure where the recipient domain is not known and the chain is trusted.
 * - fingerprint supposes a sender who pinned the very leaf that is shown.
 *
 * Not thread-safe. The engine copies what it is given; it reads the roots when they are first
 * needed.
 */
#ifndef MX509_VERDICT_H
#define MX509_VERDICT_H

#include "conclude.h"
#include "differ/certificate/value.h"

#define VERDICT_KEPT 16384

struct verdict_rules {
	const char *roots; /* NULL: ROOTS_DEFAULT */
	struct level_postfix postfix;
};

/* The DER of each certificate of the chain into certificates[], borrowed until the verdict is
 * there; what is not known stays empty. 0 or <0. */
typedef int verdict_fetch(
    void *ctx, const struct evidence *evidence, struct span *certificates, struct err *err);

struct verdict_question {
	const struct evidence *evidence;
	const struct span *certificates; /* DER of each of the chain; empty: not known */
	verdict_fetch *fetch; /* where certificates is NULL: called only if it must be verified */
	void *fetch_ctx;
	enum offer offer;
	int64_t time_ms;
	const char *host;
	const char *nexthop; /* the recipient domain; NULL: not known */
	struct conclude_dns dns;
	struct conclude_sts sts;
};

struct verdict {
	struct conclude_level levels[LEVEL_N];
	int error; /* X509_V_ERR_… of the chain at verify, for verify_error_text(); 0: none */
};

struct verdict_engine;

/* Looks at the roots, if they are given, and refuses what is none: ERR_INPUT, ERR_SYSTEM. */
int verdict_engine_create(
    struct verdict_engine **engine, const struct verdict_rules *rules, struct err *err);
void verdict_engine_destroy(struct verdict_engine *engine); /* accepts NULL */

/* Whether there are roots to verify under: 0, or <0 and why not. */
int verdict_has_roots(struct verdict_engine *engine, struct err *err);

/* Whether the evidence is such that there may be a verdict. */
bool verdict_can_be(const struct verdict_question *question);

/* 1 and *verdict; 0: there is none; <0: trouble with the roots. */
int verdict_of(struct verdict_engine *engine, const struct verdict_question *question,
    struct verdict *verdict, struct err *err);

/* SHA-256 of the roots; NULL on error. */
const struct hash *verdict_roots(struct verdict_engine *engine, struct err *err);
/* {"roots","postfix","levels"}; NULL on error. */
struct value *verdict_value(struct arena *arena, struct verdict_engine *engine,
    const struct verdict *verdict, struct err *err);

/* How many chains were verified, and how many verdicts were asked for. */
struct verdict_count {
	size_t verified, asked;
};
struct verdict_count verdict_engine_count(const struct verdict_engine *engine);

/* Whether the level lost: it delivered and does so no longer, or was Verified and is Untrusted.
 * Not of levels that one of the two does not tell, nor of fingerprint. */
bool verdict_lost(const struct verdict *old, const struct verdict *new, enum level level);

#endif
