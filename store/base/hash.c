#include "hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* no library to load, no call for a key of some octets */
#include <xxhash.h>

#include "thread_exit.h"

static void
free_context(void *p)
{
	EVP_MD_CTX_free(p);
}

static void
free_algorithm(void *p)
{
	EVP_MD_free(p);
}

static _Thread_local EVP_MD_CTX *context;
static _Thread_local EVP_MD *algorithm;

/* A program's first call of libcrypto. The machine's openssl.cnf has no say in what the corpus is
 * named by; words for its errors are not printed, and at the end of the process nothing need be
 * tidied up. Each is a tenth of what a question about one host costs. */
static void
begin(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
				OPENSSL_INIT_NO_ATEXIT,
	    NULL);
}

struct hash
hash_sha256(const void *p, size_t len)
{
	struct hash h;

	if (context == NULL) {
		begin();
		/* Fetched once: the implicit fetch of EVP_sha256() costs more than the hash. */
		algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
		thread_exit_free(free_algorithm, algorithm);
		thread_exit_free(free_context, context);
	}
	if (context == NULL || algorithm == NULL || !EVP_DigestInit_ex2(context, algorithm, NULL) ||
	    !EVP_DigestUpdate(context, p, len) || !EVP_DigestFinal_ex(context, h.bytes, NULL)) {
		fputs("mx509: libcrypto has no SHA-256; install it again\n", stderr);
		exit(2);
	}
	return h;
}

void
hash_sha1(const void *p, size_t len, uint8_t out[HASH_SHA1_LEN])
{
	static _Thread_local EVP_MD *sha1;

	if (sha1 == NULL) {
		begin();
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
		thread_exit_free(free_algorithm, sha1);
	}
	if (sha1 == NULL || !EVP_Digest(p, len, out, NULL, sha1, NULL)) {
		fputs("mx509: libcrypto has no SHA-1; install it again\n", stderr);
		exit(2);
	}
}

int
hash_compare(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_LEN);
}

void
hash_hex(const struct hash *h, char out[2 * HASH_LEN + 1])
{
	for (size_t i = 0; i < HASH_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", h->bytes[i]);
}

struct hash
hash_chain(const struct hash *certificates, size_t n)
{
	_Static_assert(sizeof(struct hash) == HASH_LEN, "an array of hashes has no gaps");
	return hash_sha256(certificates, n * sizeof(*certificates));
}

uint64_t
hash_quick(const void *p, size_t len)
{
	return XXH3_64bits(p, len);
}

uint64_t
hash_checksum(const void *key, size_t key_len, const void *value, size_t value_len)
{
	return XXH3_64bits_withSeed(value, value_len, XXH3_64bits(key, key_len));
}
