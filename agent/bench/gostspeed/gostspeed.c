// The yardstick: GOST R 34.10-2012 signatures made and verified a second by OpenSSL with gost-engine, one thread, on the parameter
// sets that are the defaults for new keys. The engine comes by OPENSSL_CONF. Prints four lines: sign_256 N, verify_256 N,
// sign_512 N, verify_512 N.
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(const char *what, int ok) {
	if (ok <= 0) {
		fprintf(stderr, "gostspeed: %s failed: is gost-engine in OPENSSL_CONF?\n", what);
		exit(1);
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void measure(const char *algorithm, const char *bits, size_t digest_size) {
	EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_id(OBJ_sn2nid(algorithm), NULL);
	check(algorithm, generator != NULL);
	check("EVP_PKEY_keygen_init", EVP_PKEY_keygen_init(generator));
	check("paramset A", EVP_PKEY_CTX_ctrl_str(generator, "paramset", "A"));
	EVP_PKEY *key = NULL;
	check("EVP_PKEY_keygen", EVP_PKEY_keygen(generator, &key));
	EVP_PKEY_CTX *signer = EVP_PKEY_CTX_new(key, NULL), *verifier = EVP_PKEY_CTX_new(key, NULL);
	check("EVP_PKEY_sign_init", EVP_PKEY_sign_init(signer));
	check("EVP_PKEY_verify_init", EVP_PKEY_verify_init(verifier));

	unsigned char digest[64], signature[128];
	memset(digest, 7, sizeof digest);
	size_t size = 0;
	long count = 0;
	double start = now(), end;
	do {
		size = sizeof signature;
		check("EVP_PKEY_sign", EVP_PKEY_sign(signer, signature, &size, digest, digest_size));
		count++;
		end = now();
	} while (end - start < 1);
	printf("sign_%s %.0f\n", bits, count / (end - start));

	count = 0;
	start = now();
	do {
		check("EVP_PKEY_verify", EVP_PKEY_verify(verifier, signature, size, digest, digest_size));
		count++;
		end = now();
	} while (end - start < 1);
	printf("verify_%s %.0f\n", bits, count / (end - start));

	EVP_PKEY_CTX_free(signer);
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_CTX_free(generator);
	EVP_PKEY_free(key);
}

int main(void) {
	measure("gost2012_256", "256", 32);
	measure("gost2012_512", "512", 64);
	return 0;
}
