/*
 * limits: what a record may hold. Whoever writes the store (a probe, an import) stays within
 * these; what is larger is refused with a line that names it, or was cut and flagged by the
 * collector before (collector/limits.h).
 */
#ifndef MX509_STORE_LIMITS_H
#define MX509_STORE_LIMITS_H

#define LIMIT_NAME 253			 /* octets of a host name, RFC 1035 section 3.1 less dots */
#define LIMIT_VANTAGE 32		 /* octets of a vantage's name */
#define LIMIT_WORD 64			 /* octets of a cipher's, group's, errno's … name */
#define LIMIT_GREETING 4096		 /* octets of a greeting's shape */
#define LIMIT_EHLO_LINES 256		 /* keywords of an EHLO reply */
#define LIMIT_EHLO_LINE 1024		 /* octets of one of them */
#define LIMIT_REASON 1024		 /* octets of the reason that a log gives */
#define LIMIT_CHAIN 1024		 /* certificates in a chain */
#define LIMIT_CERTIFICATE (16u << 20)	 /* octets of a certificate: a u24 of TLS, RFC 8446 4.4.2 */
#define LIMIT_DNS_RECORDS 1024		 /* records of one DNS answer */
#define LIMIT_DNS_RECORD 65536		 /* octets of one of them, in presentation form */
#define LIMIT_STS_LINES 1000		 /* lines of an MTA-STS policy, */
#define LIMIT_STS_OCTETS 65536		 /* and octets of them, each with an end */
#define LIMIT_JSON_LINE (32u << 20)	 /* octets of a line that is imported */
#define LIMIT_JSON_VALUES 65536		 /* values in it: each takes jansson some 100 octets */
#define LIMIT_BATCH 1000000		 /* observations between two durability points */
#define LIMIT_CACHE_SERIES (64u << 20)	 /* octets of memory: series seen lately, */
#define LIMIT_CACHE_EVIDENCE (64u << 20) /* evidence, */
#define LIMIT_CACHE_CERTIFICATE (16u << 20) /* and names of certificates */
#define LIMIT_DICTIONARY (110u << 10)	    /* octets of a dictionary of zstd that is trained */
#define LIMIT_PACK 4096			    /* certificates in one pack */
#define LIMIT_PACK_OCTETS (1u << 20)	    /* octets of all of them together */
#define LIMIT_DICTIONARY_READ (1u << 20)    /* octets of one that is read */
#define LIMIT_WAIT_MS 1000		    /* a wait for another writer that is told */
#define LIMIT_MAP (UINT64_C(1) << 40)	    /* octets of address space for the corpus: sparse */
#define LIMIT_SOUND (UINT64_C(64) << 20)    /* octets of a file that is looked at for a question */
#define LIMIT_READERS 512		    /* read transactions at once, all processes together */

#endif
