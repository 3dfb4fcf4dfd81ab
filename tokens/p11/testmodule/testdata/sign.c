// Signatures and digests, in one call each as Rutoken makes them: C_SignUpdate is not there.

#include <openssl/ecdsa.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <string.h>

#include "module.h"

static CK_RV begin(CK_SESSION_HANDLE h, CK_MECHANISM *by, CK_OBJECT_HANDLE handle, doing what) {
	SESSION(h);
	const mechanism *m = mechanism_of(by->mechanism, what == SIGN ? CKF_SIGN : CKF_VERIFY);
	if (what == SIGN && !logged_in) return CKR_USER_NOT_LOGGED_IN;
	if (s->what) return CKR_OPERATION_ACTIVE;
	if (!m) return CKR_MECHANISM_INVALID;
	if (by->mechanism == CKM_RSA_PKCS_PSS) {
		if (by->ulParameterLen != sizeof s->pss) return CKR_MECHANISM_PARAM_INVALID;
		memcpy(&s->pss, by->pParameter, sizeof s->pss);
	} else if (!parameter_fits(by, m->digest)) return CKR_MECHANISM_PARAM_INVALID;
	object *key = object_load(handle);
	if (!key || object_number(key, CKA_CLASS, CKO_DATA) != (what == SIGN ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY)) {
		object_free(key);
		return CKR_KEY_HANDLE_INVALID;
	}
	if (object_number(key, CKA_KEY_TYPE, CKK_RSA) != m->key) {
		object_free(key);
		return CKR_KEY_TYPE_INCONSISTENT;
	}
	s->what = what, s->key = key, s->mechanism = by->mechanism, s->confirmed = 0;
	return CKR_OK;
}

CK_RV C_SignInit(CK_SESSION_HANDLE h, CK_MECHANISM *by, CK_OBJECT_HANDLE key) {
	ENTER("C_SignInit");
	return begin(h, by, key, SIGN);
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE h, CK_MECHANISM *by, CK_OBJECT_HANDLE key) {
	ENTER("C_VerifyInit");
	return begin(h, by, key, VERIFY);
}

static void turn(unsigned char *p, size_t n) {
	for (size_t i = 0; i < n / 2; i++) { unsigned char c = p[i]; p[i] = p[n - 1 - i], p[n - 1 - i] = c; }
}

// how_signed says how signatures come.
static const char *how_signed(void) {
	static char how[16];
	if (!setting("signature", NULL, how, sizeof how)) strcpy(how, "right");
	return how;
}

// spoil does to a signature what the control file says.
static void spoil(unsigned char *p, size_t n, int is_gost) {
	const char *how = how_signed();
	if (!strcmp(how, "wrong")) p[n / 2] ^= 1;
	if (!is_gost) return;
	if (!strcmp(how, "reversed")) turn(p, n);  // each half with its least octet first, r before s
	if (!strcmp(how, "little")) turn(p, n / 2), turn(p + n / 2, n / 2);
	if (!strcmp(how, "swapped")) turn(p, n), turn(p, n / 2), turn(p + n / 2, n / 2);
}

// prepare gives libcrypto's context for the operation of a session, and the digest where the mechanism makes it.
static EVP_PKEY_CTX *prepare(session *s, EVP_PKEY *key, unsigned char **data, CK_ULONG *length, unsigned char digest[64]) {
	const mechanism *m = mechanism_of(s->mechanism, 0);
	EVP_PKEY_CTX *c = key ? EVP_PKEY_CTX_new(key, m->key == CKK_RSA || m->key == CKK_EC ? NULL : gost()) : NULL;
	int ok = c && (s->what == SIGN ? EVP_PKEY_sign_init(c) : EVP_PKEY_verify_init(c)) > 0;
	if (s->mechanism == CKM_RSA_PKCS) ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
	if (s->mechanism == CKM_RSA_PKCS_PSS) {
		const EVP_MD *md = s->pss.hashAlg == CKM_SHA256 ? EVP_sha256() : s->pss.hashAlg == CKM_SHA384 ? EVP_sha384() : EVP_sha512();
		ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 && EVP_PKEY_CTX_set_signature_md(c, md) > 0 &&
			EVP_PKEY_CTX_set_rsa_pss_saltlen(c, s->pss.sLen) > 0;
	}
	unsigned n = 0;
	if (m->digest) {
		ok = ok && EVP_Digest(*data, *length, digest, &n, digest_of(m->digest), gost());
		*data = digest, *length = n;
	}
	if (ok) return c;
	EVP_PKEY_CTX_free(c);
	return NULL;
}

// fits: a mechanism that is given a GOST digest takes just that.
static int fits(session *s, CK_ULONG length) {
	return (s->mechanism != CKM_GOSTR3410 || length == 32) && (s->mechanism != CKM_GOSTR3410_512 || length == 64);
}

CK_RV C_Sign(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG length, unsigned char *signature, CK_ULONG *size) {
	ENTER("C_Sign");
	SESSION(h);
	if (s->what != SIGN) return CKR_OPERATION_NOT_INITIALIZED;
	CK_ULONG want = signature_size(s->key), room = *size;
	*size = claim("C_Sign", signature != NULL, want);
	if (!signature) return CKR_OK;
	if (room < want) return CKR_BUFFER_TOO_SMALL;
	unsigned char out[1024], digest[64];
	size_t n = sizeof out;
	CK_RV e = !logged_in || (number("always", 0) && !s->confirmed) ? CKR_USER_NOT_LOGGED_IN : fits(s, length) ? CKR_OK : CKR_DATA_LEN_RANGE;
	if (!e) {
		EVP_PKEY *key = key_of(s->key);
		if (!strcmp(how_signed(), "other")) {
			EVP_PKEY *mine = key;
			key = another(mine);
			EVP_PKEY_free(mine);
		}
		EVP_PKEY_CTX *c = prepare(s, key, &data, &length, digest);
		if (!c || EVP_PKEY_sign(c, out, &n, data, length) <= 0) e = CKR_GENERAL_ERROR;
		EVP_PKEY_CTX_free(c);
		EVP_PKEY_free(key);
	}
	if (!e && s->mechanism == CKM_ECDSA) {
		const unsigned char *p = out;
		ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, n);
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32);
		ECDSA_SIG_free(sig);
	} else if (!e) memcpy(signature, out, want);
	if (!e) spoil(signature, want, s->mechanism != CKM_ECDSA && mechanism_of(s->mechanism, 0)->key != CKK_RSA);
	session_stop(s);
	return told(e);
}

// C_SignUpdate refuses, and so ends the operation (v2.40, section 5.11).
CK_RV C_SignUpdate(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG length) {
	(void)data, (void)length;
	ENTER("C_SignUpdate");
	SESSION(h);
	session_stop(s);
	return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_Verify(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG length, unsigned char *signature, CK_ULONG size) {
	ENTER("C_Verify");
	SESSION(h);
	if (s->what != VERIFY) return CKR_OPERATION_NOT_INITIALIZED;
	unsigned char digest[64], *der = NULL;
	CK_RV e = size != signature_size(s->key) ? CKR_SIGNATURE_LEN_RANGE : fits(s, length) ? CKR_OK : CKR_DATA_LEN_RANGE;
	if (!e) {
		EVP_PKEY *key = key_of(s->key);
		EVP_PKEY_CTX *c = prepare(s, key, &data, &length, digest);
		if (s->mechanism == CKM_ECDSA) {
			ECDSA_SIG *sig = ECDSA_SIG_new();
			ECDSA_SIG_set0(sig, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
			size = i2d_ECDSA_SIG(sig, &der);
			ECDSA_SIG_free(sig);
		}
		e = !c ? CKR_GENERAL_ERROR : EVP_PKEY_verify(c, der ? der : signature, size, data, length) == 1 ? CKR_OK : CKR_SIGNATURE_INVALID;
		OPENSSL_free(der);
		EVP_PKEY_CTX_free(c);
		EVP_PKEY_free(key);
	}
	session_stop(s);
	return e;
}

CK_RV C_DigestInit(CK_SESSION_HANDLE h, CK_MECHANISM *by) {
	ENTER("C_DigestInit");
	SESSION(h);
	const mechanism *m = mechanism_of(by->mechanism, CKF_DIGEST);
	if (!m || !digest_of(m->digest)) return CKR_MECHANISM_INVALID;
	if (!parameter_fits(by, m->digest)) return CKR_MECHANISM_PARAM_INVALID;
	if (s->digest) return CKR_OPERATION_ACTIVE;
	s->digest = EVP_MD_CTX_new();
	return EVP_DigestInit_ex(s->digest, digest_of(m->digest), NULL) ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_RV finish(session *s, unsigned char *out, CK_ULONG *size) {
	CK_ULONG room = *size;
	*size = EVP_MD_CTX_get_size(s->digest);
	if (!out) return CKR_OK;
	if (room < *size) return CKR_BUFFER_TOO_SMALL;
	int ok = EVP_DigestFinal_ex(s->digest, out, NULL);
	EVP_MD_CTX_free(s->digest);
	s->digest = NULL;
	return ok ? CKR_OK : CKR_GENERAL_ERROR;
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG length) {
	ENTER("C_DigestUpdate");
	SESSION(h);
	if (!s->digest) return CKR_OPERATION_NOT_INITIALIZED;
	return EVP_DigestUpdate(s->digest, data, length) ? CKR_OK : CKR_GENERAL_ERROR;
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE h, unsigned char *out, CK_ULONG *size) {
	ENTER("C_DigestFinal");
	SESSION(h);
	return s->digest ? finish(s, out, size) : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV C_Digest(CK_SESSION_HANDLE h, unsigned char *data, CK_ULONG length, unsigned char *out, CK_ULONG *size) {
	ENTER("C_Digest");
	SESSION(h);
	if (!s->digest) return CKR_OPERATION_NOT_INITIALIZED;
	if (out && *size >= (CK_ULONG)EVP_MD_CTX_get_size(s->digest) && !EVP_DigestUpdate(s->digest, data, length)) return CKR_GENERAL_ERROR;
	return finish(s, out, size);
}
