/*
 * postfix_outcome: what Postfix's texts about a connection that failed, or mail that was not
 * delivered, say in the words of an observation. Pure.
 *
 * Source: src/tls/tls_client.c, src/smtp/smtp_proto.c, smtp_log_tls_feature_status of postconf(5).
 */
#ifndef MX509_POSTFIX_OUTCOME_H
#define MX509_POSTFIX_OUTCOME_H

#include "postfix_log.h"
#include "store/record/evidence.h"

/* Members as those of struct evidence. */
struct postfix_outcome {
	enum outcome outcome;
	int smtp_code, tls_alert;
	const char *errno_name;
	enum tristate starttls_offered;
};

/* Of a handshake, by the reason in its line: connection-closed, io-timeout, unreachable, else
 * handshake-error. */
void postfix_outcome_of_error(struct postfix_outcome *o, struct syslog_text reason);

/* By the line of the TLS library behind it: tls-alert, if that is what it tells of; else nothing is
 * changed. */
void postfix_outcome_of_library(struct postfix_outcome *o, struct syslog_text problem);

/* "TLS is required, but …": whether the server refused STARTTLS. *peer gets the server. */
bool postfix_outcome_of_refusal(
    struct postfix_outcome *o, struct postfix_event *peer, struct syslog_text reason);

/* Whether a delivery was not made for want of trust in the certificate. */
bool postfix_outcome_is_distrust(struct syslog_text reason);

/* Whether DANE decided: "dane", "dane-only/requiretls", "dane:halfdane"; not "dane:encrypt". */
bool postfix_outcome_is_dane(struct syslog_text feature);

#endif
