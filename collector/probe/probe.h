/*
 * probe: one connection to one address of one MX under one kind of SNI: TCP, the SMTP dialogue
 * (smtp.h), the handshake (tls.h), QUIT; and the evidence that comes of it.
 *
 * It does not choose what to probe or when (schedule.h), check whether the address may be dialled
 * (address.h), or store anything (record.h). A probe ends always: each stage (connect, each reply,
 * handshake) must be over within the timeout, counted from its own beginning and not from the
 * server's last octet.
 *
 * Time of an observation: when the Certificate message came, or else when the outcome was clear;
 * the server chose what to show just before that.
 */
#ifndef MX509_PROBE_H
#define MX509_PROBE_H

#include "collector/loop.h"
#include "tls.h"

/* What all probes of a run share; borrowed. */
struct probe_settings {
	struct loop *loop;
	struct tls_context *tls[OFFER_N]; /* those that are asked for */
	const char *ehlo_domain;
	int64_t timeout_ms;
};

struct probe;

/* What a probe leaves. Evidence and chain are borrowed until the callback returns. */
struct probe_result {
	const struct series *series;
	struct observation observation; /* less evidence.chain: the record hashes it */
	const struct wire_chain *chain;
	bool connected;	     /* the address answered at all */
	bool local;	     /* nothing was learnt: this machine could not even open a socket */
	int errnum;	     /* why, then */
	int64_t leaf_ends_s; /* tls.h: 0: unknown */
};

typedef void probe_done_fn(void *ctx, struct probe *probe, const struct probe_result *result);

/*
 * server_name: the SNI to send, NULL for none. dns_ms: how long the look-ups took, -1 if there
 * were none. done is called once, never from within this function; the probe is gone after it.
 */
struct probe *probe_start(const struct probe_settings *settings, const struct series *series,
    const char *server_name, int32_t dns_ms, probe_done_fn *done, void *ctx);

/* Ends it at once, without calling done. */
void probe_abort(struct probe *probe);

#endif
