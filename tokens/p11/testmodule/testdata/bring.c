// Keys that were made elsewhere: C_CreateObject makes libcrypto's form of their numbers.

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "module.h"

static BIGNUM *big(object *o, CK_ATTRIBUTE_TYPE type) {
	CK_ATTRIBUTE *a = object_get(o, type);
	return a ? BN_bin2bn(a->pValue, a->ulValueLen, NULL) : NULL;
}

static EVP_PKEY *rsa_of(object *o) {
	RSA *r = RSA_new();
	BIGNUM *n = big(o, CKA_MODULUS), *e = big(o, CKA_PUBLIC_EXPONENT), *d = big(o, CKA_PRIVATE_EXPONENT), *p = big(o, CKA_PRIME_1), *q = big(o, CKA_PRIME_2);
	BIGNUM *dp = big(o, CKA_EXPONENT_1), *dq = big(o, CKA_EXPONENT_2), *c = big(o, CKA_COEFFICIENT);
	EVP_PKEY *key = EVP_PKEY_new();
	if (RSA_set0_key(r, n, e, d) && RSA_set0_factors(r, p, q) && RSA_set0_crt_params(r, dp, dq, c) && RSA_check_key(r) == 1 && EVP_PKEY_assign_RSA(key, r)) return key;
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *ec_of(object *o) {
	EC_KEY *k = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *d = big(o, CKA_VALUE);
	EC_POINT *point = EC_POINT_new(EC_KEY_get0_group(k));
	EVP_PKEY *key = EVP_PKEY_new();
	int ok = d && EC_POINT_mul(EC_KEY_get0_group(k), point, d, NULL, NULL, NULL) && EC_KEY_set_private_key(k, d) && EC_KEY_set_public_key(k, point) && EVP_PKEY_assign_EC_KEY(key, k);
	EC_POINT_free(point);
	BN_free(d);
	if (ok) return key;
	EVP_PKEY_free(key);
	return NULL;
}

// gost_of wraps the numbers into PKCS#8: SEQUENCE { 0, SEQUENCE { algorithm, SEQUENCE { curve, digest } }, OCTET STRING { value } }.
static EVP_PKEY *gost_of(object *o, CK_KEY_TYPE type) {
	static const unsigned char names[2][10] = {{6, 8, 0x2a, 0x85, 3, 7, 1, 1, 1, 1}, {6, 8, 0x2a, 0x85, 3, 7, 1, 1, 1, 2}};
	CK_ATTRIBUTE *curve = object_get(o, CKA_GOSTR3410_PARAMS), *digest = object_get(o, CKA_GOSTR3411_PARAMS), *value = object_get(o, CKA_VALUE);
	if (!curve || !digest || !value || !gost() || curve->ulValueLen > 20 || digest->ulValueLen > 20 || value->ulValueLen > 64) return NULL;
	unsigned char der[256], *p = der;
	unsigned char sets = curve->ulValueLen + digest->ulValueLen, algorithm = 10 + 2 + sets;
	*p++ = 0x30, *p++ = 3 + 2 + algorithm + 2 + value->ulValueLen;
	memcpy(p, "\x02\x01\x00", 3), p += 3;
	*p++ = 0x30, *p++ = algorithm;
	memcpy(p, names[type == CKK_GOSTR3410_512], 10), p += 10;
	*p++ = 0x30, *p++ = sets;
	memcpy(p, curve->pValue, curve->ulValueLen), p += curve->ulValueLen;
	memcpy(p, digest->pValue, digest->ulValueLen), p += digest->ulValueLen;
	*p++ = 4, *p++ = value->ulValueLen;
	memcpy(p, value->pValue, value->ulValueLen), p += value->ulValueLen;
	const unsigned char *q = der;
	return der[1] < 0x80 ? d2i_AutoPrivateKey(NULL, &q, p - der) : NULL;
}

// bring completes a key that a template describes; what it says of itself stays as it came.
CK_RV bring(object *o) {
	CK_KEY_TYPE type = object_number(o, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
	if (!number("import", 1)) return CKR_TEMPLATE_INCONSISTENT;
	object_set_flag(o, CKA_LOCAL, 0);
	if (object_number(o, CKA_CLASS, CKO_DATA) == CKO_PUBLIC_KEY) return CKR_OK;
	EVP_PKEY *key = type == CKK_RSA ? rsa_of(o) : type == CKK_EC ? ec_of(o) : type == CKK_GOSTR3410 || type == CKK_GOSTR3410_512 ? gost_of(o, type) : NULL;
	if (!key) return CKR_ATTRIBUTE_VALUE_INVALID;
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int length = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	object_set(o, OWN_KEY, der, length);
	OPENSSL_clear_free(der, length);
	PKCS8_PRIV_KEY_INFO_free(p8);
	EVP_PKEY_free(key);
	object_set_flag(o, CKA_ALWAYS_SENSITIVE, 0);
	object_set_flag(o, CKA_NEVER_EXTRACTABLE, 0);
	return CKR_OK;
}
