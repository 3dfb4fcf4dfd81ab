// A small real Cryptoki (PKCS#11 v2.40) module for tests: one token with one key pair and its certificate, signing by libcrypto, and every
// misfortune on demand. What it does is said by a control file; see testmodule.go.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned char byte;
typedef unsigned long ulong;  // CK_ULONG on every Unix

typedef struct { byte major, minor; } version;
typedef struct { version cryptoki; char manufacturer[32]; ulong flags; char description[32]; version library; } info;
typedef struct { char description[64], manufacturer[32]; ulong flags; version hardware, firmware; } slot_info;
typedef struct {
	char label[32], manufacturer[32], model[16], serial[16];
	ulong flags, maxSessions, sessions, maxRW, rw, maxPIN, minPIN, memory[4];
	version hardware, firmware;
	char time[16];
} token_info;
typedef struct { ulong slot, state, flags, error; } session_info;
typedef struct { ulong type; void *value; ulong length; } attribute;
typedef struct { ulong type; void *parameter; ulong length; } mechanism;
typedef struct { ulong min, max, flags; } mechanism_info;
typedef struct { ulong hash, mgf, salt; } pss_parameters;

enum {  // CKR_
	OK = 0, SLOT_INVALID = 3, GENERAL_ERROR = 5, ARGUMENTS_BAD = 7, NOT_SUPPORTED = 0x54, ATTRIBUTE_INVALID = 0x12, DEVICE_REMOVED = 0x32,
	KEY_HANDLE_INVALID = 0x60, MECHANISM_INVALID = 0x70, OBJECT_INVALID = 0x82, NOT_INITIALIZED_OPERATION = 0x91, PIN_INCORRECT = 0xA0,
	PIN_LOCKED = 0xA4, SESSION_COUNT = 0xB1, SESSION_INVALID = 0xB3, TOKEN_NOT_PRESENT = 0xE0, NOT_RECOGNIZED = 0xE1, WRITE_PROTECTED = 0xE2,
	ALREADY_LOGGED_IN = 0x100, NOT_LOGGED_IN = 0x101, PIN_NOT_SET = 0x102, BUFFER_TOO_SMALL = 0x150, NOT_INITIALIZED = 0x190,
	ALREADY_INITIALIZED = 0x191, CANCELLED = 0x50,
};
enum { THE_SLOT = 4, NEIGHBOUR = 1, SESSIONS = 64 };
enum { CERTIFICATE = 1, PUBLIC, PRIVATE, OBJECTS = PRIVATE };  // handles

typedef struct { int open, rw, finding, signing, confirmed; ulong next, class; mechanism sign; pss_parameters pss; int byID; } session;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static session sessions[SESSIONS + 1];
static int initialized, loggedIn;
static char control[4096];
static EVP_PKEY *key;
static X509 *certificate;
static char kind[8];

// The control file is read anew at each call; tests change it as they go.

static const char *path(void) {
	if (!*control) {
		const char *named = getenv("PERO_TEST_MODULE_CONTROL");
		Dl_info me;
		if (named) snprintf(control, sizeof control, "%s", named);
		else if (dladdr((void *)path, &me)) snprintf(control, sizeof control, "%s.control", me.dli_fname);
	}
	return control;
}

static FILE *beside(const char *suffix, const char *mode) {
	char name[4200];
	snprintf(name, sizeof name, "%s.%s", path(), suffix);
	return fopen(name, mode);
}

// setting copies the value of a key's line to out; the second word of the line must be `sub` when that is given.
static int setting(const char *name, const char *sub, char *out, size_t size) {
	FILE *f = fopen(path(), "r");
	char line[512];
	int found = 0;
	if (!f) return 0;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = 0;
		char *value = strchr(line, ' ');
		if (value) *value++ = 0; else value = line + strlen(line);
		if (strcmp(line, name)) continue;
		if (sub) {
			size_t n = strlen(sub);
			if (strncmp(value, sub, n) || (value[n] && value[n] != ' ')) continue;
			value += n + (value[n] == ' ');
		}
		if (out) snprintf(out, size, "%s", value);
		found = 1;
	}
	fclose(f);
	return found;
}

static long number(const char *name, long otherwise) {
	char value[64];
	return setting(name, NULL, value, sizeof value) ? strtol(value, NULL, 0) : otherwise;
}

static int wrongTries(void) {
	int n = 0;
	FILE *f = beside("tries", "r");
	if (f) { if (fscanf(f, "%d", &n) != 1) n = 0; fclose(f); }
	return n;
}

static void setWrongTries(int n) {
	FILE *f = beside("tries", "w");
	if (f) { fprintf(f, "%d\n", n); fclose(f); }
}

// enter notes the call, and does what the control file wants done to it.
static ulong enter(const char *function) {
	char value[64];
	FILE *f = beside("calls", "a");
	if (f) { fprintf(f, "%s\n", function); fclose(f); }
	if (setting("crash", function, NULL, 0)) abort();
	while (setting("hang", function, NULL, 0)) usleep(20000);
	if (setting("fail", function, value, sizeof value)) return strtoul(value, NULL, 0);
	if (!number("present", 1)) {
		memset(sessions, 0, sizeof sessions);
		loggedIn = 0;
	}
	return OK;
}
#define ENTER(name) do { ulong e_ = enter(name); if (e_) return e_; if (!initialized) return NOT_INITIALIZED; } while (0)
#define SESSION(h) session *s = (h) >= 1 && (h) <= SESSIONS && sessions[h].open ? &sessions[h] : NULL; \
	if (!s) return number("present", 1) ? SESSION_INVALID : DEVICE_REMOVED

static void pad(char *to, size_t n, const char *from) {
	size_t length = strlen(from);
	memset(to, ' ', n);
	memcpy(to, from, length < n ? length : n);
}

// The key pair and its certificate are made once and kept beside the control file.
static int load(void) {
	char want[8] = "ec", name[16];
	setting("key", NULL, want, sizeof want);
	if (key && !strcmp(want, kind)) return 1;
	snprintf(kind, sizeof kind, "%s", want);
	snprintf(name, sizeof name, "%s.pem", kind);
	EVP_PKEY_free(key);
	X509_free(certificate);
	key = NULL, certificate = NULL;
	FILE *f = beside(name, "r");
	if (f) {
		key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		certificate = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
		if (key && certificate) return 1;
	}
	key = strcmp(kind, "rsa") ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
	certificate = X509_new();
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 30 * 86400);
	X509_NAME *who = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_UTF8, (byte *)"Test Person", -1, -1, 0);
	X509_set_issuer_name(certificate, who);
	X509_set_pubkey(certificate, key);
	if (!key || !X509_sign(certificate, key, EVP_sha256())) return 0;
	if (!(f = beside(name, "w"))) return 0;
	int ok = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(f, certificate);
	fclose(f);
	return ok;
}

static ulong C_Initialize(void *arguments) {
	(void)arguments;
	ulong e = enter("C_Initialize");
	if (e) return e;
	if (initialized) return ALREADY_INITIALIZED;
	initialized = 1;
	return OK;
}

static ulong C_Finalize(void *reserved) {
	(void)reserved;
	ENTER("C_Finalize");
	memset(sessions, 0, sizeof sessions);
	initialized = loggedIn = 0;
	return OK;
}

static ulong C_GetInfo(info *i) {
	ENTER("C_GetInfo");
	memset(i, 0, sizeof *i);
	i->cryptoki = (version){2, 40};
	pad(i->manufacturer, 32, "Pero");
	pad(i->description, 32, "Test module");
	return OK;
}

static ulong C_GetSlotList(byte present, ulong *list, ulong *count) {
	ENTER("C_GetSlotList");
	ulong slots[2], n = 0;
	if (number("neighbour", 0)) slots[n++] = NEIGHBOUR;
	if (!present || number("present", 1)) slots[n++] = THE_SLOT;
	if (list && *count < n) { *count = n; return BUFFER_TOO_SMALL; }
	if (list) memcpy(list, slots, n * sizeof *slots);
	*count = n;
	return OK;
}

static ulong C_GetSlotInfo(ulong slot, slot_info *i) {
	ENTER("C_GetSlotInfo");
	if (slot != THE_SLOT && slot != NEIGHBOUR) return SLOT_INVALID;
	memset(i, 0, sizeof *i);
	pad(i->description, 64, slot == NEIGHBOUR ? "Bad reader" : "Test reader");
	pad(i->manufacturer, 32, "Pero");
	i->flags = 2 | 4 | (slot == NEIGHBOUR || number("present", 1) ? 1 : 0);  // removable, hardware, present
	return OK;
}

static ulong C_GetTokenInfo(ulong slot, token_info *i) {
	ENTER("C_GetTokenInfo");
	if (slot == NEIGHBOUR) return NOT_RECOGNIZED;
	if (slot != THE_SLOT) return SLOT_INVALID;
	if (!number("present", 1)) return TOKEN_NOT_PRESENT;
	char label[64] = "Test token", serial[64] = "0123456789abcdef";
	setting("label", NULL, label, sizeof label);
	setting("serial", NULL, serial, sizeof serial);
	memset(i, 0, sizeof *i);
	pad(i->label, 32, label);
	pad(i->manufacturer, 32, "Pero");
	pad(i->model, 16, "Test card");
	pad(i->serial, 16, serial);
	int wrong = wrongTries(), tries = number("tries", 3);
	i->flags = 1 | 4;  // CKF_RNG, CKF_LOGIN_REQUIRED
	if (!number("uninitialized", 0)) i->flags |= 0x400;
	if (number("pinset", 1)) i->flags |= 8;
	if (number("readonly", 0)) i->flags |= 2;
	if (number("pinpad", 0)) i->flags |= 0x100;
	if (wrong) i->flags |= 0x10000;
	if (wrong == tries - 1) i->flags |= 0x20000;
	if (wrong >= tries) i->flags |= 0x40000;
	i->maxSessions = number("sessions", 0);
	i->maxPIN = 16, i->minPIN = 4;
	for (int k = 0; k < 4; k++) i->memory[k] = (ulong)-1;
	memset(i->time, '0', 16);
	return OK;
}

static const struct { ulong type; mechanism_info i; } mechanisms[] = {
	{0, {2048, 4096, 0x10000}}, {1, {2048, 4096, 0x800}}, {0xD, {2048, 4096, 0x800}}, {0x1040, {256, 256, 0x10000}}, {0x1041, {256, 256, 0x800}},
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

static ulong C_GetMechanismList(ulong slot, ulong *list, ulong *count) {
	ENTER("C_GetMechanismList");
	if (slot != THE_SLOT) return SLOT_INVALID;
	if (list) for (int i = 0; i < MECHANISMS; i++) list[i] = mechanisms[i].type;
	*count = MECHANISMS;
	return OK;
}

static ulong C_GetMechanismInfo(ulong slot, ulong type, mechanism_info *i) {
	ENTER("C_GetMechanismInfo");
	if (slot != THE_SLOT) return SLOT_INVALID;
	for (int k = 0; k < MECHANISMS; k++) if (mechanisms[k].type == type) { *i = mechanisms[k].i; return OK; }
	return MECHANISM_INVALID;
}

static ulong C_OpenSession(ulong slot, ulong flags, void *a, void *n, ulong *handle) {
	(void)a, (void)n;
	ENTER("C_OpenSession");
	if (slot != THE_SLOT) return NOT_RECOGNIZED;
	if (!number("present", 1)) return TOKEN_NOT_PRESENT;
	if ((flags & 2) && number("readonly", 0)) return WRITE_PROTECTED;
	ulong open = 0, limit = number("sessions", 0);
	for (ulong h = 1; h <= SESSIONS; h++) open += sessions[h].open;
	if (limit && open >= limit) return SESSION_COUNT;
	for (ulong h = 1; h <= SESSIONS; h++) if (!sessions[h].open) {
		memset(&sessions[h], 0, sizeof sessions[h]);
		sessions[h].open = 1, sessions[h].rw = (flags & 2) != 0;
		*handle = h;
		return OK;
	}
	return SESSION_COUNT;
}

static ulong C_CloseSession(ulong h) {
	ENTER("C_CloseSession");
	SESSION(h);
	s->open = 0;
	for (ulong k = 1; k <= SESSIONS; k++) if (sessions[k].open) return OK;
	loggedIn = 0;
	return OK;
}

static ulong C_CloseAllSessions(ulong slot) {
	(void)slot;
	ENTER("C_CloseAllSessions");
	memset(sessions, 0, sizeof sessions);
	loggedIn = 0;
	return OK;
}

static ulong C_GetSessionInfo(ulong h, session_info *i) {
	ENTER("C_GetSessionInfo");
	SESSION(h);
	*i = (session_info){THE_SLOT, (s->rw ? 2 : 0) + (loggedIn ? 1 : 0), 4 | (s->rw ? 2 : 0), 0};
	return OK;
}

static ulong C_Login(ulong h, ulong user, byte *pin, ulong length) {
	ENTER(user == 2 ? "C_Login(CKU_CONTEXT_SPECIFIC)" : "C_Login");
	char right[64] = "1234", finger[64] = "right";
	while (number("pinpad", 0) && setting("pad", "wait", NULL, 0)) usleep(20000);
	SESSION(h);
	if (user == 0) return NOT_SUPPORTED;
	if (user == 2 && !s->signing) return NOT_INITIALIZED_OPERATION;
	if (user == 1 && loggedIn) return ALREADY_LOGGED_IN;
	if (!number("pinset", 1)) return PIN_NOT_SET;
	int wrong = wrongTries(), tries = number("tries", 3), good;
	if (wrong >= tries) return PIN_LOCKED;
	setting("pin", NULL, right, sizeof right);
	if (number("pinpad", 0)) {
		if (pin) return ARGUMENTS_BAD;
		setting("pad", NULL, finger, sizeof finger);
		if (!strcmp(finger, "cancel")) return CANCELLED;
		good = !strcmp(finger, "right");
	} else {
		if (!pin) return ARGUMENTS_BAD;
		good = length == strlen(right) && !memcmp(pin, right, length);
	}
	if (!good) {
		setWrongTries(wrong + 1);
		return wrong + 1 >= tries ? PIN_LOCKED : PIN_INCORRECT;
	}
	if (wrong) setWrongTries(0);
	if (user == 2) s->confirmed = 1; else loggedIn = 1;
	return OK;
}

static ulong C_Logout(ulong h) {
	ENTER("C_Logout");
	SESSION(h);
	if (!loggedIn) return NOT_LOGGED_IN;
	loggedIn = 0;
	for (ulong k = 1; k <= SESSIONS; k++) sessions[k].signing = 0;
	return OK;
}

// visible reports whether an object shows itself: the private key after login, the public key unless `nopublic`.
static int visible(ulong object) {
	return object == PRIVATE ? loggedIn : object == PUBLIC ? !number("nopublic", 0) : object == CERTIFICATE && !number("nocertificate", 0);
}

static ulong value(ulong object, attribute *a) {
	byte buffer[8192], *p = buffer;
	ulong n = 0, class = object, u;
	byte yes = 1, no = 0;
	int rsa = !strcmp(kind, "rsa");
	switch (a->type) {
#define ULONG(x) u = (x), memcpy(buffer, &u, n = sizeof u)
#define BOOL(x) buffer[0] = (x) ? yes : no, n = 1
	case 0: ULONG(class == CERTIFICATE ? 1 : class == PUBLIC ? 2 : 3); break;
	case 1: BOOL(1); break;                  // CKA_TOKEN
	case 2: BOOL(object == PRIVATE); break;  // CKA_PRIVATE
	case 3: n = 8, memcpy(buffer, "Test key", 8); break;
	case 0x102: buffer[0] = 1, n = 1; break;  // CKA_ID
	case 0x80: if (object != CERTIFICATE) return ATTRIBUTE_INVALID; ULONG(0); break;
	case 0x11: if (object != CERTIFICATE) return ATTRIBUTE_INVALID; n = i2d_X509(certificate, &p); break;
	case 0x101: if (object != CERTIFICATE) return ATTRIBUTE_INVALID; n = i2d_X509_NAME(X509_get_subject_name(certificate), &p); break;
	case 0x100: if (object == CERTIFICATE) return ATTRIBUTE_INVALID; ULONG(rsa ? 0 : 3); break;
	case 0x108: if (object != PRIVATE) return ATTRIBUTE_INVALID; BOOL(1); break;  // CKA_SIGN
	case 0x10A: if (object != PUBLIC) return ATTRIBUTE_INVALID; BOOL(1); break;   // CKA_VERIFY
	case 0x103: if (object != PRIVATE) return ATTRIBUTE_INVALID; BOOL(1); break;  // CKA_SENSITIVE
	case 0x162: if (object != PRIVATE) return ATTRIBUTE_INVALID; BOOL(0); break;  // CKA_EXTRACTABLE
	case 0x202: if (object != PRIVATE) return ATTRIBUTE_INVALID; BOOL(number("always", 0)); break;
	case 0x120: case 0x122: {  // CKA_MODULUS, CKA_PUBLIC_EXPONENT
		if (!rsa || object == CERTIFICATE) return ATTRIBUTE_INVALID;
		BIGNUM *b = NULL;
		EVP_PKEY_get_bn_param(key, a->type == 0x120 ? "n" : "e", &b);
		n = BN_bn2bin(b, buffer);
		BN_free(b);
		break;
	}
	case 0x121: if (!rsa || object != PUBLIC) return ATTRIBUTE_INVALID; ULONG(2048); break;
	case 0x180:  // CKA_EC_PARAMS: prime256v1
		if (rsa || object == CERTIFICATE) return ATTRIBUTE_INVALID;
		n = 10, memcpy(buffer, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10);
		break;
	case 0x181: {  // CKA_EC_POINT
		if (rsa || object != PUBLIC) return ATTRIBUTE_INVALID;
		size_t length = 0;
		EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", buffer + 2, sizeof buffer - 2, &length);
		buffer[0] = 4, buffer[1] = length, n = length + 2;
		break;
	}
	default: return ATTRIBUTE_INVALID;
	}
	if (a->value && a->length < n) { a->length = (ulong)-1; return BUFFER_TOO_SMALL; }
	if (a->value) memcpy(a->value, buffer, n);
	a->length = n;
	return OK;
}

static ulong C_GetAttributeValue(ulong h, ulong object, attribute *list, ulong count) {
	ENTER("C_GetAttributeValue");
	SESSION(h);
	if (object < 1 || object > OBJECTS || !visible(object)) return OBJECT_INVALID;
	ulong result = OK, e;
	for (ulong i = 0; i < count; i++) if ((e = value(object, &list[i]))) { list[i].length = (ulong)-1; result = e; }
	return result;
}

static ulong C_FindObjectsInit(ulong h, attribute *list, ulong count) {
	ENTER("C_FindObjectsInit");
	SESSION(h);
	if (!load()) return GENERAL_ERROR;
	s->finding = 1, s->next = 1, s->class = (ulong)-1, s->byID = 0;
	for (ulong i = 0; i < count; i++) {
		if (list[i].type == 0) memcpy(&s->class, list[i].value, sizeof s->class);
		else if (list[i].type == 0x102) s->byID = list[i].length == 1 && *(byte *)list[i].value == 1 ? 1 : -1;
		else if (list[i].type == 0x100 && *(ulong *)list[i].value != (strcmp(kind, "rsa") ? 3 : 0)) s->byID = -1;
	}
	return OK;
}

static ulong C_FindObjects(ulong h, ulong *list, ulong max, ulong *count) {
	ENTER("C_FindObjects");
	SESSION(h);
	if (!s->finding) return NOT_INITIALIZED_OPERATION;
	*count = 0;
	for (; s->next <= OBJECTS && *count < max; s->next++)
		if (s->byID >= 0 && visible(s->next) && (s->class == (ulong)-1 || s->class == s->next)) list[(*count)++] = s->next;
	return OK;
}

static ulong C_FindObjectsFinal(ulong h) {
	ENTER("C_FindObjectsFinal");
	SESSION(h);
	s->finding = 0;
	return OK;
}

static ulong C_SignInit(ulong h, mechanism *m, ulong object) {
	ENTER("C_SignInit");
	SESSION(h);
	if (!loggedIn) return NOT_LOGGED_IN;
	if (object != PRIVATE) return KEY_HANDLE_INVALID;
	if (m->type == 0x1041 ? !strcmp(kind, "rsa") : strcmp(kind, "rsa") || (m->type != 1 && m->type != 0xD)) return MECHANISM_INVALID;
	if (m->type == 0xD) {
		if (m->length != sizeof s->pss) return ARGUMENTS_BAD;
		memcpy(&s->pss, m->parameter, sizeof s->pss);
	}
	s->sign = *m, s->signing = 1, s->confirmed = 0;
	return OK;
}

static ulong C_Sign(ulong h, byte *data, ulong length, byte *signature, ulong *size) {
	ENTER("C_Sign");
	SESSION(h);
	int rsa = !strcmp(kind, "rsa");
	if (!s->signing) return NOT_INITIALIZED_OPERATION;
	ulong want = rsa ? 256 : 64;
	if (!signature) { *size = want; return OK; }
	if (*size < want) { *size = want; return BUFFER_TOO_SMALL; }
	s->signing = 0;
	if (!loggedIn || (number("always", 0) && !s->confirmed)) return NOT_LOGGED_IN;
	byte out[512];
	size_t n = sizeof out;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	int ok = EVP_PKEY_sign_init(c) > 0;
	if (rsa && s->sign.type == 1) ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
	if (rsa && s->sign.type == 0xD) {
		const EVP_MD *md = s->pss.hash == 0x250 ? EVP_sha256() : s->pss.hash == 0x260 ? EVP_sha384() : EVP_sha512();
		ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 && EVP_PKEY_CTX_set_signature_md(c, md) > 0 &&
			EVP_PKEY_CTX_set_rsa_pss_saltlen(c, s->pss.salt) > 0;
	}
	ok = ok && EVP_PKEY_sign(c, out, &n, data, length) > 0;
	EVP_PKEY_CTX_free(c);
	if (!ok) return GENERAL_ERROR;
	if (rsa) memcpy(signature, out, n);
	else {
		const byte *p = out;
		ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, n);
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32);
		ECDSA_SIG_free(sig);
	}
	*size = want;
	return OK;
}

// What the module cannot do can still be told to fail, crash or hang by name.
#define CANNOT(name) static ulong name(void) { ENTER(#name); return number("readonly", 0) ? WRITE_PROTECTED : NOT_SUPPORTED; }
CANNOT(C_GenerateKeyPair)
CANNOT(C_CreateObject)
CANNOT(C_DestroyObject)
static ulong unsupported(void) { return NOT_SUPPORTED; }

// The calls that share the key or the table of sessions come one at a time.
#define LOCKED(name, parameters, arguments) \
	static ulong locked_##name parameters { pthread_mutex_lock(&lock); ulong e = name arguments; pthread_mutex_unlock(&lock); return e; }
LOCKED(C_Sign, (ulong h, byte *d, ulong n, byte *s, ulong *l), (h, d, n, s, l))
LOCKED(C_GetAttributeValue, (ulong h, ulong o, attribute *l, ulong n), (h, o, l, n))
LOCKED(C_OpenSession, (ulong s, ulong f, void *a, void *n, ulong *h), (s, f, a, n, h))
LOCKED(C_FindObjectsInit, (ulong h, attribute *l, ulong n), (h, l, n))

static struct { version v; void *f[68]; } functions;

__attribute__((visibility("default"))) ulong C_GetFunctionList(void **list) {
	functions.v = (version){2, 40};
	for (int i = 0; i < 68; i++) functions.f[i] = unsupported;
	void *mine[][2] = {
		{(void *)0, C_Initialize}, {(void *)1, C_Finalize}, {(void *)2, C_GetInfo}, {(void *)3, C_GetFunctionList}, {(void *)4, C_GetSlotList},
		{(void *)5, C_GetSlotInfo}, {(void *)6, C_GetTokenInfo}, {(void *)7, C_GetMechanismList}, {(void *)8, C_GetMechanismInfo},
		{(void *)12, locked_C_OpenSession}, {(void *)13, C_CloseSession}, {(void *)14, C_CloseAllSessions}, {(void *)15, C_GetSessionInfo},
		{(void *)18, C_Login}, {(void *)19, C_Logout}, {(void *)20, C_CreateObject}, {(void *)22, C_DestroyObject},
		{(void *)24, locked_C_GetAttributeValue}, {(void *)26, locked_C_FindObjectsInit}, {(void *)27, C_FindObjects},
		{(void *)28, C_FindObjectsFinal}, {(void *)42, C_SignInit}, {(void *)43, locked_C_Sign}, {(void *)59, C_GenerateKeyPair},
	};
	for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) functions.f[(size_t)mine[i][0]] = mine[i][1];
	*list = &functions;
	return OK;
}
