// Key pairs: made on the token, or there from the beginning with a certificate.

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "module.h"

// gost is OpenSSL's engine for all that is GOST; NULL where it is not installed.
ENGINE *gost(void) {
	static ENGINE *engine;
	static int tried;
	if (!tried) {
		tried = 1;
		engine = ENGINE_by_id("gost");
		if (engine && (!ENGINE_init(engine) || !ENGINE_set_default(engine, ENGINE_METHOD_ALL))) engine = NULL;
	}
	return engine;
}

const EVP_MD *digest_of(int nid) {
	if (nid == NID_sha256) return EVP_sha256();
	if (nid == NID_sha512) return EVP_sha512();
	return gost() ? ENGINE_get_digest(gost(), nid) : NULL;
}

// key_of gives the key of a private or public key object.
EVP_PKEY *key_of(object *o) {
	CK_ATTRIBUTE *a = object_get(o, OWN_KEY);
	if (!a) return NULL;
	gost();
	const unsigned char *p = a->pValue;
	if (object_number(o, CKA_CLASS, CKO_DATA) == CKO_PUBLIC_KEY) return d2i_PUBKEY(NULL, &p, a->ulValueLen);
	return d2i_AutoPrivateKey(NULL, &p, a->ulValueLen);
}

CK_ULONG signature_size(object *o) {
	switch (object_number(o, CKA_KEY_TYPE, CKK_RSA)) {
	case CKK_GOSTR3410: case CKK_EC: return 64;
	case CKK_GOSTR3410_512: return 128;
	}
	return object_get(o, CKA_MODULUS)->ulValueLen;
}

static const unsigned char p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};

// The names of digests that go with GOST keys, in DER, and what libcrypto calls keys of these.
static const struct { CK_KEY_TYPE type; int key; unsigned char length, name[16]; } digests[] = {
	{CKK_GOSTR3410, NID_id_GostR3410_2012_256, 10, {6, 8, 0x2a, 0x85, 3, 7, 1, 1, 2, 2}},
	{CKK_GOSTR3410_512, NID_id_GostR3410_2012_512, 10, {6, 8, 0x2a, 0x85, 3, 7, 1, 1, 2, 3}},
	{CKK_GOSTR3410, NID_id_GostR3410_2001, 9, {6, 7, 0x2a, 0x85, 3, 2, 2, 0x1e, 1}},
};

// generate_gost makes a key as both templates ask: the same parameter sets in both.
static CK_RV generate_gost(CK_KEY_TYPE type, object *public, object *private, EVP_PKEY **key) {
	static const CK_ATTRIBUTE_TYPE wanted[] = {CKA_KEY_TYPE, CKA_GOSTR3410_PARAMS, CKA_GOSTR3411_PARAMS};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		CK_ATTRIBUTE *a = object_get(public, wanted[i]), *b = object_get(private, wanted[i]);
		if (!a || !b) return CKR_TEMPLATE_INCOMPLETE;
		if (a->ulValueLen != b->ulValueLen || memcmp(a->pValue, b->pValue, a->ulValueLen)) return CKR_TEMPLATE_INCONSISTENT;
	}
	if (!gost()) return CKR_FUNCTION_NOT_SUPPORTED;
	CK_ATTRIBUTE *curve = object_get(public, CKA_GOSTR3410_PARAMS), *digest = object_get(public, CKA_GOSTR3411_PARAMS);
	int nid = 0;
	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
		if (digests[i].type == type && digests[i].length == digest->ulValueLen && !memcmp(digests[i].name, digest->pValue, digest->ulValueLen))
			nid = digests[i].key;
	const unsigned char *p = curve->pValue;
	ASN1_OBJECT *set = d2i_ASN1_OBJECT(NULL, &p, curve->ulValueLen);
	char name[64] = "";
	if (set) OBJ_obj2txt(name, sizeof name, set, 1);
	ASN1_OBJECT_free(set);
	EVP_PKEY_CTX *c = nid ? EVP_PKEY_CTX_new_id(nid, gost()) : NULL;
	int ok = c && EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_CTX_ctrl_str(c, "paramset", name) > 0 && EVP_PKEY_keygen(c, key) > 0;
	EVP_PKEY_CTX_free(c);
	return ok ? CKR_OK : CKR_DOMAIN_PARAMS_INVALID;
}

static void set_number_of(object *o, CK_ATTRIBUTE_TYPE type, EVP_PKEY *key, const char *name) {
	BIGNUM *b = NULL;
	unsigned char octets[1024];
	if (EVP_PKEY_get_bn_param(key, name, &b)) object_set(o, type, octets, BN_bn2bin(b, octets));
	BN_free(b);
}

// describe writes into both objects what a pair of the type tells of itself.
static void describe(CK_KEY_TYPE type, EVP_PKEY *key, object *public, object *private) {
	unsigned char *spki = NULL, point[256];
	int length = i2d_PUBKEY(key, &spki);
	size_t n = 0;
	object_set(public, OWN_KEY, spki, length);
	object *both[] = {public, private};
	for (int i = 0; i < 2; i++) switch (type) {
	case CKK_RSA:
		set_number_of(both[i], CKA_MODULUS, key, OSSL_PKEY_PARAM_RSA_N);
		set_number_of(both[i], CKA_PUBLIC_EXPONENT, key, OSSL_PKEY_PARAM_RSA_E);
		break;
	case CKK_EC:
		object_set(both[i], CKA_EC_PARAMS, p256, sizeof p256);
	}
	if (type == CKK_RSA) object_set_number(public, CKA_MODULUS_BITS, EVP_PKEY_get_bits(key));
	else if (type == CKK_EC && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point + 2, sizeof point - 2, &n)) {
		point[0] = 4, point[1] = n;
		object_set(public, CKA_EC_POINT, point, n + 2);
	} else if (type != CKK_EC) {  // X and Y, each least octet first: the inside of the SubjectPublicKeyInfo's OCTET STRING
		n = type == CKK_GOSTR3410 ? 64 : 128;
		object_set(public, CKA_VALUE, spki + length - n, n);
	}
	OPENSSL_free(spki);
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	length = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	object_set(private, OWN_KEY, der, length);
	OPENSSL_clear_free(der, length);
	PKCS8_PRIV_KEY_INFO_free(p8);
}

// settle gives both objects what a token decides itself, whatever the templates say, and stores them.
static CK_RV settle(CK_KEY_TYPE type, CK_MECHANISM_TYPE by, EVP_PKEY *key, object *public, object *private) {
	describe(type, key, public, private);
	object_set_number(public, CKA_CLASS, CKO_PUBLIC_KEY);
	object_set_number(private, CKA_CLASS, CKO_PRIVATE_KEY);
	object *both[] = {public, private};
	for (int i = 0; i < 2; i++) {
		object_set_number(both[i], CKA_KEY_TYPE, type);
		object_set_number(both[i], CKA_KEY_GEN_MECHANISM, by);
		object_set_flag(both[i], CKA_TOKEN, 1);
		object_set_flag(both[i], CKA_PRIVATE, i == 1);
		object_set_flag(both[i], CKA_LOCAL, 1);
		if (!object_get(both[i], CKA_ID)) object_set(both[i], CKA_ID, "", 0);
		if (!object_get(both[i], CKA_LABEL)) object_set(both[i], CKA_LABEL, "", 0);
	}
	static const struct { int object, yes; CK_ATTRIBUTE_TYPE type; } uses[] = {
		{0, 1, CKA_VERIFY}, {0, 0, CKA_ENCRYPT}, {0, 0, CKA_WRAP}, {0, 0, CKA_DERIVE},
		{1, 1, CKA_SIGN}, {1, 0, CKA_DECRYPT}, {1, 0, CKA_UNWRAP}, {1, 0, CKA_DERIVE},
	};
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		object *o = both[uses[i].object];
		if (!object_get(o, uses[i].type)) object_set_flag(o, uses[i].type, uses[i].yes);
	}
	object_set_flag(private, CKA_SENSITIVE, 1);
	object_set_flag(private, CKA_ALWAYS_SENSITIVE, 1);
	object_set_flag(private, CKA_EXTRACTABLE, 0);
	object_set_flag(private, CKA_NEVER_EXTRACTABLE, 1);
	CK_RV e = object_store(public);
	return e ? e : object_store(private);
}

static CK_RV generate(CK_KEY_TYPE type, object *public, object *private, EVP_PKEY **key) {
	CK_ULONG bits = object_number(public, CKA_MODULUS_BITS, 0);
	CK_ATTRIBUTE *curve = object_get(public, CKA_EC_PARAMS);
	switch (type) {
	case CKK_RSA:
		if (bits < 2048 || bits > 4096) return CKR_KEY_SIZE_RANGE;
		*key = EVP_RSA_gen(bits);
		break;
	case CKK_EC:
		if (!curve) return CKR_TEMPLATE_INCOMPLETE;
		if (curve->ulValueLen != sizeof p256 || memcmp(curve->pValue, p256, sizeof p256)) return CKR_DOMAIN_PARAMS_INVALID;
		*key = EVP_EC_gen("P-256");
		break;
	default:
		return generate_gost(type, public, private, key);
	}
	return *key ? CKR_OK : CKR_GENERAL_ERROR;
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE h, CK_MECHANISM *by, CK_ATTRIBUTE *pub, CK_ULONG npub, CK_ATTRIBUTE *priv, CK_ULONG npriv,
	CK_OBJECT_HANDLE *hpub, CK_OBJECT_HANDLE *hpriv) {
	ENTER("C_GenerateKeyPair");
	WRITING(h);
	const mechanism *m = mechanism_of(by->mechanism, CKF_GENERATE_KEY_PAIR);
	if (!m) return CKR_MECHANISM_INVALID;
	object *public = object_new(pub, npub), *private = object_new(priv, npriv);
	EVP_PKEY *key = NULL;
	CK_RV e = CKR_ATTRIBUTE_VALUE_INVALID;
	if (public && private) {
		CK_BBOOL *token = object_get(private, CKA_TOKEN) ? object_get(private, CKA_TOKEN)->pValue : NULL;
		e = token && *token ? generate(m->key, public, private, &key) : CKR_TEMPLATE_INCONSISTENT;  // nothing is kept for a session only
	}
	if (!e) e = settle(m->key, m->type, key, public, private);
	if (!e) *hpub = handed(public->handle), *hpriv = handed(private->handle);
	EVP_PKEY_free(key);
	object_free(public);
	object_free(private);
	return told(e);
}

// What the setting `key` can say is there from the beginning.
static const struct { const char *kind; CK_KEY_TYPE type; CK_MECHANISM_TYPE by; int digest; const char *curve; int length; } seeds[] = {
	{"ec", CKK_EC, CKM_EC_KEY_PAIR_GEN, NID_sha256, NULL, 0},
	{"rsa", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, NID_sha256, NULL, 0},
	{"gost256", CKK_GOSTR3410, CKM_GOSTR3410_KEY_PAIR_GEN, NID_id_GostR3411_2012_256, "\x06\x07\x2a\x85\x03\x02\x02\x23\x01", 9},
	{"gost512", CKK_GOSTR3410_512, CKM_GOSTR3410_512_KEY_PAIR_GEN, NID_id_GostR3411_2012_512, "\x06\x09\x2a\x85\x03\x07\x01\x02\x01\x02\x01", 11},
};
enum { SEEDS = sizeof seeds / sizeof *seeds };

static X509 *certify(EVP_PKEY *key, int digest) {
	X509 *c = X509_new();
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 4711);
	X509_gmtime_adj(X509_getm_notBefore(c), -3600);
	X509_gmtime_adj(X509_getm_notAfter(c), 30 * 86400);
	X509_NAME *who = X509_get_subject_name(c);
	X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_UTF8, (unsigned char *)"Test Person", -1, -1, 0);
	X509_set_issuer_name(c, who);
	X509_set_pubkey(c, key);
	if (X509_sign(c, key, digest_of(digest))) return c;
	X509_free(c);
	return NULL;
}

static CK_RV store_certificate(X509 *c, const char *kind) {
	object *o = object_new(NULL, 0);
	unsigned char *der = NULL;
	int length = i2d_X509(c, &der);
	object_set(o, CKA_VALUE, der, length);
	OPENSSL_free(der);
	der = NULL, length = i2d_X509_NAME(X509_get_subject_name(c), &der);
	object_set(o, CKA_SUBJECT, der, length);
	object_set(o, CKA_ISSUER, der, length);
	OPENSSL_free(der);
	der = NULL, length = i2d_ASN1_INTEGER(X509_get_serialNumber(c), &der);
	object_set(o, CKA_SERIAL_NUMBER, der, length);
	OPENSSL_free(der);
	object_set_number(o, CKA_CLASS, CKO_CERTIFICATE);
	object_set_number(o, CKA_CERTIFICATE_TYPE, CKC_X_509);
	object_set_flag(o, CKA_TOKEN, 1);
	object_set_flag(o, CKA_PRIVATE, 0);
	object_set(o, CKA_ID, "\x01", 1);
	object_set(o, CKA_LABEL, "Test key", 8);
	object_set(o, OWN_KIND, kind, strlen(kind));
	CK_RV e = object_store(o);
	object_free(o);
	return e;
}

// seed makes, once, the pair and the certificate that are there from the beginning, and writes both to a PEM file for other programs.
int seed(void) {
	char kind[16] = "ec", name[32];
	setting("key", NULL, kind, sizeof kind);
	int i = 0;
	while (i < SEEDS && strcmp(seeds[i].kind, kind)) i++;
	if (i == SEEDS) return 1;  // "key none"
	snprintf(name, sizeof name, "%s.pem", kind);
	FILE *f = beside(name, "r");
	if (f) { fclose(f); return 1; }
	object *both[] = {object_new(NULL, 0), object_new(NULL, 0)};
	CK_KEY_TYPE type = seeds[i].type;
	for (int k = 0; k < 2; k++) {
		object_set(both[k], CKA_ID, "\x01", 1);
		object_set(both[k], CKA_LABEL, "Test key", 8);
		object_set(both[k], OWN_KIND, kind, strlen(kind));
		object_set_number(both[k], CKA_KEY_TYPE, type);
		if (type == CKK_RSA) object_set_number(both[k], CKA_MODULUS_BITS, 2048);
		if (type == CKK_EC) object_set(both[k], CKA_EC_PARAMS, p256, sizeof p256);
		if (!seeds[i].curve) continue;
		object_set(both[k], CKA_GOSTR3410_PARAMS, seeds[i].curve, seeds[i].length);
		object_set(both[k], CKA_GOSTR3411_PARAMS, digests[type == CKK_GOSTR3410_512].name, 10);
	}
	EVP_PKEY *key = NULL;
	X509 *c = NULL;
	int ok = !generate(type, both[0], both[1], &key) && (c = certify(key, seeds[i].digest)) && !settle(type, seeds[i].by, key, both[0], both[1]) &&
		!store_certificate(c, kind) && (f = beside(name, "w")) && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(f, c);
	if (f) fclose(f);
	X509_free(c);
	EVP_PKEY_free(key);
	object_free(both[0]);
	object_free(both[1]);
	return ok;
}
