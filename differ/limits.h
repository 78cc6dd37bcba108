/*
 * limits: what a stranger's certificate or file can make the differ do. Nothing that is read
 * chooses how much is allocated beyond what these allow; time is linear in the input.
 */
#ifndef MX509_DIFFER_LIMITS_H
#define MX509_DIFFER_LIMITS_H

#define DIFFER_FILE_MAX (64u << 20)	   /* octets of a file of certificates that is read */
#define DIFFER_CERTIFICATE_MAX (16u << 20) /* octets of a certificate: a u24 of TLS */
#define DIFFER_EXTENSIONS_MAX 1024	   /* extensions of a certificate that are read */
#define DIFFER_CHAIN_MAX 64		   /* certificates of a chain that are judged as a path */
#define DIFFER_FAULTS_MAX 64 /* faults of each kind that are named; further ones are counted */
#define DIFFER_PATH_MAX 128  /* octets of the place of a fault */
#define DIFFER_WHY_MAX 160   /* octets of its reason */
#define DIFFER_OID_MAX 256   /* octets of an object identifier that is written out */
#define DIFFER_DEPTH_MAX 32  /* elements within elements where we walk what we do not know */

#endif
