// A PKCS#11 module for Windows, where CK_ULONG has four octets and structures have no gaps: one token, one key of P-256 with its
// certificate, the PIN 1234. Windows' own library signs. The test writes key.h: D, X, Y of the key and the certificate's parts.

#include <windows.h>
#include <bcrypt.h>
#include <string.h>

#define CRYPTOKI_EXPORTS 1
#include <p11-kit/pkcs11.h>

#include "key.h"

_Static_assert(sizeof(CK_ULONG) == 4 && offsetof(CK_FUNCTION_LIST, C_Initialize) == 2, "not the layout of Windows");

enum { SLOT = 7, SESSION = 9, CERTIFICATE = 1, PUBLIC, PRIVATE, OBJECTS = PRIVATE };

static int started, logged_in, signing;
static CK_OBJECT_HANDLE found[OBJECTS];
static CK_ULONG hits, given;

static const CK_OBJECT_CLASS certificate_class = CKO_CERTIFICATE, public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
static const CK_CERTIFICATE_TYPE x509 = CKC_X_509;
static const CK_KEY_TYPE ec = CKK_EC;
static const CK_BBOOL yes = 1, no = 0;
static const unsigned char id[] = {1}, curve[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};

#define VALUE(type, value) {type, (void *)&(value), sizeof (value)}
static const CK_ATTRIBUTE certificate_attributes[] = {VALUE(CKA_CLASS, certificate_class), VALUE(CKA_CERTIFICATE_TYPE, x509), VALUE(CKA_ID, id),
	VALUE(CKA_TOKEN, yes), VALUE(CKA_PRIVATE, no), VALUE(CKA_VALUE, certificate), VALUE(CKA_SUBJECT, subject), VALUE(CKA_ISSUER, subject), VALUE(CKA_SERIAL_NUMBER, serial)};
static const CK_ATTRIBUTE public_attributes[] = {VALUE(CKA_CLASS, public_class), VALUE(CKA_KEY_TYPE, ec), VALUE(CKA_ID, id), VALUE(CKA_TOKEN, yes),
	VALUE(CKA_PRIVATE, no), VALUE(CKA_EC_PARAMS, curve), VALUE(CKA_EC_POINT, point), VALUE(CKA_VERIFY, yes)};
static const CK_ATTRIBUTE private_attributes[] = {VALUE(CKA_CLASS, private_class), VALUE(CKA_KEY_TYPE, ec), VALUE(CKA_ID, id), VALUE(CKA_TOKEN, yes),
	VALUE(CKA_PRIVATE, yes), VALUE(CKA_SENSITIVE, yes), VALUE(CKA_EXTRACTABLE, no), VALUE(CKA_EC_PARAMS, curve), VALUE(CKA_SIGN, yes), VALUE(CKA_ALWAYS_AUTHENTICATE, no)};

#define COUNT(a) (sizeof(a) / sizeof *(a))
static const struct { const CK_ATTRIBUTE *list; CK_ULONG count; } objects[] = {{NULL, 0}, {certificate_attributes, COUNT(certificate_attributes)},
	{public_attributes, COUNT(public_attributes)}, {private_attributes, COUNT(private_attributes)}};

static const CK_ATTRIBUTE *attribute(CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type) {
	for (CK_ULONG i = 0; i < objects[o].count; i++) if (objects[o].list[i].type == type) return &objects[o].list[i];
	return NULL;
}

static void text(unsigned char *to, size_t n, const char *from) {
	memset(to, ' ', n);
	memcpy(to, from, strlen(from));
}

#define STARTED if (!started) return CKR_CRYPTOKI_NOT_INITIALIZED
#define IN_SESSION(s) STARTED; if ((s) != SESSION) return CKR_SESSION_HANDLE_INVALID

CK_RV C_Initialize(void *arguments) {
	(void)arguments;
	if (started) return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	started = 1;
	return CKR_OK;
}

CK_RV C_Finalize(void *reserved) { (void)reserved; STARTED; started = logged_in = 0; return CKR_OK; }

CK_RV C_GetInfo(CK_INFO *i) {
	STARTED;
	memset(i, 0, sizeof *i);
	i->cryptokiVersion = (CK_VERSION){2, 40};
	text(i->manufacturerID, 32, "Pero");
	text(i->libraryDescription, 32, "Test module");
	return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count) {
	(void)present;
	STARTED;
	if (list && *count < 1) return CKR_BUFFER_TOO_SMALL;
	if (list) *list = SLOT;
	*count = 1;
	return CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *i) {
	STARTED;
	if (slot != SLOT) return CKR_SLOT_ID_INVALID;
	memset(i, 0, sizeof *i);
	text(i->slotDescription, 64, "Test reader");
	text(i->manufacturerID, 32, "Pero");
	i->flags = CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE;
	return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *i) {
	STARTED;
	if (slot != SLOT) return CKR_SLOT_ID_INVALID;
	memset(i, 0, sizeof *i);
	text(i->label, 32, "Windows token");
	text(i->manufacturerID, 32, "Pero");
	text(i->model, 16, "Test");
	text(i->serialNumber, 16, "0000000000000042");
	i->flags = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_LOGIN_REQUIRED;
	i->ulMinPinLen = 4, i->ulMaxPinLen = 16;
	return CKR_OK;
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count) {
	STARTED;
	if (slot != SLOT) return CKR_SLOT_ID_INVALID;
	if (list && *count < 1) return CKR_BUFFER_TOO_SMALL;
	if (list) *list = CKM_ECDSA;
	*count = 1;
	return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *i) {
	STARTED;
	if (slot != SLOT) return CKR_SLOT_ID_INVALID;
	if (type != CKM_ECDSA) return CKR_MECHANISM_INVALID;
	*i = (CK_MECHANISM_INFO){256, 256, CKF_SIGN};
	return CKR_OK;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *s) {
	(void)flags, (void)application, (void)notify;
	STARTED;
	if (slot != SLOT) return CKR_SLOT_ID_INVALID;
	*s = SESSION;
	return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE s) { IN_SESSION(s); return CKR_OK; }
CK_RV C_CloseAllSessions(CK_SLOT_ID slot) { (void)slot; STARTED; logged_in = 0; return CKR_OK; }

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE s, CK_SESSION_INFO *i) {
	IN_SESSION(s);
	*i = (CK_SESSION_INFO){SLOT, logged_in ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION, 0};
	return CKR_OK;
}

CK_RV C_Login(CK_SESSION_HANDLE s, CK_USER_TYPE user, unsigned char *pin, CK_ULONG n) {
	IN_SESSION(s);
	if (user != CKU_USER) return CKR_USER_TYPE_INVALID;
	if (logged_in) return CKR_USER_ALREADY_LOGGED_IN;
	if (n != 4 || memcmp(pin, "1234", 4)) return CKR_PIN_INCORRECT;
	logged_in = 1;
	return CKR_OK;
}

CK_RV C_Logout(CK_SESSION_HANDLE s) { IN_SESSION(s); logged_in = 0; return CKR_OK; }

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE s, CK_ATTRIBUTE *wanted, CK_ULONG count) {
	IN_SESSION(s);
	hits = given = 0;
	for (CK_OBJECT_HANDLE o = 1; o <= OBJECTS; o++) {
		int fits = o != PRIVATE || logged_in;
		for (CK_ULONG i = 0; i < count; i++) {
			const CK_ATTRIBUTE *a = attribute(o, wanted[i].type);
			fits = fits && a && a->ulValueLen == wanted[i].ulValueLen && !memcmp(a->pValue, wanted[i].pValue, a->ulValueLen);
		}
		if (fits) found[hits++] = o;
	}
	return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *list, CK_ULONG room, CK_ULONG *count) {
	IN_SESSION(s);
	for (*count = 0; *count < room && given < hits;) list[(*count)++] = found[given++];
	return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE s) { IN_SESSION(s); return CKR_OK; }

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *list, CK_ULONG count) {
	IN_SESSION(s);
	if (o < 1 || o > OBJECTS) return CKR_OBJECT_HANDLE_INVALID;
	CK_RV result = CKR_OK;
	for (CK_ULONG i = 0; i < count; i++) {
		const CK_ATTRIBUTE *a = attribute(o, list[i].type);
		if (!a) {
			list[i].ulValueLen = (CK_ULONG)-1;
			result = CKR_ATTRIBUTE_TYPE_INVALID;
			continue;
		}
		if (list[i].pValue && list[i].ulValueLen < a->ulValueLen) {
			list[i].ulValueLen = (CK_ULONG)-1;
			result = CKR_BUFFER_TOO_SMALL;
			continue;
		}
		if (list[i].pValue) memcpy(list[i].pValue, a->pValue, a->ulValueLen);
		list[i].ulValueLen = a->ulValueLen;
	}
	return result;
}

CK_RV C_SignInit(CK_SESSION_HANDLE s, CK_MECHANISM *by, CK_OBJECT_HANDLE key) {
	IN_SESSION(s);
	if (!logged_in) return CKR_USER_NOT_LOGGED_IN;
	if (by->mechanism != CKM_ECDSA) return CKR_MECHANISM_INVALID;
	if (key != PRIVATE) return CKR_KEY_HANDLE_INVALID;
	signing = 1;
	return CKR_OK;
}

CK_RV C_Sign(CK_SESSION_HANDLE s, unsigned char *digest, CK_ULONG n, unsigned char *out, CK_ULONG *room) {
	IN_SESSION(s);
	if (!signing) return CKR_OPERATION_NOT_INITIALIZED;
	if (!out) { *room = 64; return CKR_OK; }
	if (*room < 64) { *room = 64; return CKR_BUFFER_TOO_SMALL; }
	signing = 0;
	struct { BCRYPT_ECCKEY_BLOB head; unsigned char x[32], y[32], d[32]; } blob = {.head = {BCRYPT_ECDSA_PRIVATE_P256_MAGIC, 32}};
	memcpy(blob.x, X, 32), memcpy(blob.y, Y, 32), memcpy(blob.d, D, 32);
	BCRYPT_ALG_HANDLE algorithm = NULL;
	BCRYPT_KEY_HANDLE key = NULL;
	ULONG made = 0;
	int ok = !BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_ECDSA_P256_ALGORITHM, NULL, 0) &&
		!BCryptImportKeyPair(algorithm, NULL, BCRYPT_ECCPRIVATE_BLOB, &key, (unsigned char *)&blob, sizeof blob, 0) &&
		!BCryptSignHash(key, NULL, digest, n, out, *room, &made, 0) && made == 64;
	if (key) BCryptDestroyKey(key);
	if (algorithm) BCryptCloseAlgorithmProvider(algorithm, 0);
	*room = 64;
	return ok ? CKR_OK : CKR_DEVICE_ERROR;
}

static CK_RV unsupported(void) { return CKR_FUNCTION_NOT_SUPPORTED; }

__declspec(dllexport) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
	static CK_FUNCTION_LIST functions;
	unsigned char *at = (unsigned char *)&functions + offsetof(CK_FUNCTION_LIST, C_Initialize);
	CK_RV (*nothing)(void) = unsupported;
	for (; at < (unsigned char *)(&functions + 1); at += sizeof nothing) memcpy(at, &nothing, sizeof nothing);
	functions.version = (CK_VERSION){2, 40};
#define LISTED(name) functions.name = name;
	LISTED(C_Initialize) LISTED(C_Finalize) LISTED(C_GetInfo) LISTED(C_GetFunctionList) LISTED(C_GetSlotList) LISTED(C_GetSlotInfo) LISTED(C_GetTokenInfo)
	LISTED(C_GetMechanismList) LISTED(C_GetMechanismInfo) LISTED(C_OpenSession) LISTED(C_CloseSession) LISTED(C_CloseAllSessions) LISTED(C_GetSessionInfo)
	LISTED(C_Login) LISTED(C_Logout) LISTED(C_FindObjectsInit) LISTED(C_FindObjects) LISTED(C_FindObjectsFinal) LISTED(C_GetAttributeValue)
	LISTED(C_SignInit) LISTED(C_Sign)
	*list = &functions;
	return CKR_OK;
}
