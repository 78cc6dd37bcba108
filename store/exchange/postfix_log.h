/*
 * postfix_log: what a line of Postfix's smtp(8), lmtp(8), tlsproxy(8) or posttls-finger(1) says of
 * TLS with a server. A pure parser of messages, without what syslog puts before them (syslog.h):
 * a line in, an event out. It copies nothing: texts point into the message.
 *
 * Postfix 2.2 to 3.12, log levels 0 to 2; what is not known is POSTFIX_OTHER. Lines of smtpd(8)
 * have the same form but for the direction ("from"), and are told apart by it.
 *
 * Source: src/tls/tls_client.c, tls_misc.c, tls_verify.c, src/smtp/smtp_proto.c,
 * src/posttls-finger/posttls-finger.c of these versions.
 */
#ifndef MX509_POSTFIX_LOG_H
#define MX509_POSTFIX_LOG_H

#include "syslog.h"

enum postfix_kind {
	POSTFIX_OTHER,
	POSTFIX_SUMMARY,	 /* Untrusted TLS connection established to … */
	POSTFIX_VERIFY_FAILED,	 /* certificate verification failed for …; re-using session … */
	POSTFIX_PEERNAME_FAILED, /* certificate peer name verification failed for … (2.2) */
	POSTFIX_HANDSHAKE_ERROR, /* SSL_connect error to … */
	POSTFIX_LIBRARY_PROBLEM, /* warning: TLS library problem: … */
	POSTFIX_SETUP,		 /* setting up TLS connection to … */
	POSTFIX_VERIFY_DEPTH,	 /* …: depth=0 verify=1 subject=… */
	POSTFIX_MATCHED_NAME,	 /* …: Matched subjectAltName: …; …: matched peername: … */
	POSTFIX_COMMON_NAME,	 /* … CommonName … */
	POSTFIX_MATCHED_DANE,	 /* …: Matched DANE EE certificate at depth 0: … */
	POSTFIX_MATCHED_OTHER,	 /* by a fingerprint or a trust anchor */
	POSTFIX_PEER_CERTIFICATE, /* …: subject_CN=…, issuer_CN=…, fingerprint=… */
	POSTFIX_SNI_SENT,	  /* …: SNI hostname: … */
	POSTFIX_REUSED_SESSION,	  /* …: Reusing old session */
	POSTFIX_NOT_DELIVERED,	  /* QID: Server certificate not verified */
	POSTFIX_DELIVERY,	  /* QID: to=<…>, relay=…, status=… */
};

enum postfix_field {
	POSTFIX_STATUS,	   /* the trust word; of a delivery: sent, deferred, bounced */
	POSTFIX_USAGE,	   /* established, reused */
	POSTFIX_DIRECTION, /* to, from; of an error: connect, accept */
	POSTFIX_HOST,
	POSTFIX_ADDRESS, /* what stands in brackets, whatever it is */
	POSTFIX_PORT,
	POSTFIX_SNI,
	POSTFIX_PROTOCOL,
	POSTFIX_CIPHER,
	POSTFIX_USED_BITS,
	POSTFIX_ALGORITHM_BITS,
	POSTFIX_KEY_EXCHANGE,
	POSTFIX_KEY_EXCHANGE_PARAMETER, /* "P-256", "2048 bits" */
	POSTFIX_SERVER_SIGNATURE,
	POSTFIX_SERVER_SIGNATURE_PARAMETER,
	POSTFIX_SERVER_DIGEST,
	POSTFIX_CLIENT_SIGNATURE,
	POSTFIX_CLIENT_SIGNATURE_PARAMETER,
	POSTFIX_CLIENT_DIGEST,
	POSTFIX_PURPOSE, /* CA, client, server */
	POSTFIX_DEPTH,
	POSTFIX_VERIFY,
	POSTFIX_NAME, /* a subject, a name that matched, a common name */
	POSTFIX_ISSUER,
	POSTFIX_FINGERPRINT,
	POSTFIX_KEY_FINGERPRINT,
	POSTFIX_QUEUE_ID,
	POSTFIX_RELAY,
	POSTFIX_TLS_FEATURE, /* "dane", "may:none", "dane/!requiretls:nostarttls" */
	POSTFIX_DSN,
	POSTFIX_REASON,
	POSTFIX_FIELD_N
};

struct postfix_event {
	enum postfix_kind kind;
	bool cut; /* it ends before its form does: it was folded, or quoted in part */
	struct syslog_text at[POSTFIX_FIELD_N];
};

void postfix_parse(struct postfix_event *out, struct syslog_text message);

/* Whether it may be an event, judged by its first octets: never false for one. */
bool postfix_is_likely(struct syslog_text message);

/* Whether a message in which a line was folded may go on with this text. */
bool postfix_goes_on(const struct postfix_event *event, struct syslog_text text);

/* "mx.example.org[192.0.2.1]:25" at the begin of text into its parts; what follows it is returned.
 * The brackets and the port may lack. */
struct syslog_text postfix_peer(struct postfix_event *event, struct syslog_text text);

#endif
