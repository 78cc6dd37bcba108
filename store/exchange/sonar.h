/*
 * sonar: the files of Rapid7's Project Sonar (SSL Certificates; More SSL Certificates), CSV without
 * a heading. A pure parser.
 *
 *	DATE[_STUDY_PORT]_certs.gz	SHA1,BASE64 (DER): certificates that were new on that day
 *	DATE_hosts.gz			ADDRESS,SHA1: the study of port 443 where none is named
 *	DATE_STUDY_PORT_endpoints.gz	ADDRESS,PORT,SHA1
 *	DATE[_STUDY_PORT]_names.gz	SHA1,NAME: what stands in the certificates; not read
 *
 * DATE is 20131030 or 2020-06-01-1590969600 (with the second since 1970). The lines of one
 * endpoint stand together, one a certificate, in the order in which the server sent them.
 */
#ifndef MX509_SONAR_H
#define MX509_SONAR_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/hash.h"
#include "store/base/ip.h"

enum sonar_kind { SONAR_OTHER, SONAR_CERTS, SONAR_HOSTS, SONAR_ENDPOINTS, SONAR_NAMES };

struct sonar_file {
	enum sonar_kind kind;
	int64_t time_ms; /* INT64_MIN: no date in the name */
	uint16_t port;	 /* 0: none in the name */
};

/* By the last part of the path. */
void sonar_file_of(struct sonar_file *file, const char *path);

struct sonar_line {
	bool is_certificate;
	uint8_t sha1[HASH_SHA1_LEN];
	struct ip address; /* of an endpoint */
	uint16_t port;	   /* of an endpoint; 0: not told */
};

/* der: gets the certificate (cleared first), which has this SHA-1. ERR_INPUT: it is no such line.
 */
int sonar_parse(
    struct sonar_line *out, struct buf *der, const char *line, size_t len, struct err *err);

#endif
