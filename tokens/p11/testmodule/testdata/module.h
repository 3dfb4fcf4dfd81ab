// What the parts of the test module know of each other. PKCS#11's own names come from p11-kit's header.

#pragma once
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <stdio.h>

// The numbers of TC26 ("Extensions of PKCS#11 for Russian cryptography"), which the header has not.
#define TC26 0xD4321000UL
#define CKK_GOSTR3410_512 (TC26 | 0x03)
#define CKM_GOSTR3410_512_KEY_PAIR_GEN (TC26 | 0x05)
#define CKM_GOSTR3410_512 (TC26 | 0x06)
#define CKM_GOSTR3410_WITH_GOSTR3411_12_256 (TC26 | 0x08)
#define CKM_GOSTR3410_WITH_GOSTR3411_12_512 (TC26 | 0x09)
#define CKM_GOSTR3411_12_256 (TC26 | 0x12)
#define CKM_GOSTR3411_12_512 (TC26 | 0x13)

// control.c: the file that says how the module behaves, and what lies beside it.

const char *control_path(void);
FILE *beside(const char *suffix, const char *mode);
int setting(const char *name, const char *sub, char *out, size_t size);
long number(const char *name, long otherwise);
void field(unsigned char *to, size_t n, const char *name, const char *otherwise);
CK_RV enter(const char *function);
void note(const char *what, const char *function);

// fault.c

void fault(const char *function);
void faulted(void);
CK_RV told(CK_RV);
CK_ULONG handed(CK_ULONG);
CK_ULONG claim(const char *function, int reading, CK_ULONG truth);
CK_ULONG claim_length(CK_ATTRIBUTE_TYPE, int reading, CK_ULONG truth);
EVP_PKEY *another(EVP_PKEY *);

// module.c: one call at a time, in this process and among all that share the control file.

extern int initialized;
int hold(void);
void leave(int *);

// ENTER begins every function: it notes the call, does what the control file wants done to it, then takes the lock until the function
// returns. What hangs on command hangs without the lock.
#define ENTER(name) \
	do { CK_RV entered_ = enter(name); if (entered_) return entered_; } while (0); \
	__attribute__((cleanup(leave))) int held_ = hold(); \
	if (!held_ || !initialized) return CKR_CRYPTOKI_NOT_INITIALIZED

// object.c: the objects on the token, a file each, so that they outlive the process. A handle is the file's number.

enum {  // attributes that only the module sees
	OWN_KEY = CKA_VENDOR_DEFINED | 1,  // the key itself: PKCS#8 of a private one, SubjectPublicKeyInfo of a public one
	OWN_KIND,                          // of what is there from the beginning: the setting `key` under which it shows itself
};
typedef struct { CK_OBJECT_HANDLE handle; CK_ULONG count; CK_ATTRIBUTE list[40]; } object;

object *object_new(CK_ATTRIBUTE *template, CK_ULONG count);
void object_free(object *);
void object_set(object *, CK_ATTRIBUTE_TYPE, const void *value, CK_ULONG length);
void object_set_flag(object *, CK_ATTRIBUTE_TYPE, int);
void object_set_number(object *, CK_ATTRIBUTE_TYPE, CK_ULONG);
CK_ATTRIBUTE *object_get(object *, CK_ATTRIBUTE_TYPE);
CK_ULONG object_number(object *, CK_ATTRIBUTE_TYPE, CK_ULONG otherwise);
CK_RV object_store(object *);
object *object_load(CK_OBJECT_HANDLE);  // NULL: there is none, or it does not show itself now

// fault.c: objects that are there so and so often, beside those of the files

CK_ULONG crowd(void);
CK_OBJECT_HANDLE crowd_handle(CK_ULONG);
CK_OBJECT_HANDLE crowd_original(CK_OBJECT_HANDLE);
void crowd_dress(object *);

// session.c

enum { SESSIONS = 64 };
typedef enum { NOTHING, SIGN, VERIFY } doing;
typedef struct {
	int open, rw, confirmed;  // confirmed: by a context-specific login
	CK_OBJECT_HANDLE *found;
	CK_ULONG finding, next, hits;
	doing what;
	object *key;
	CK_MECHANISM_TYPE mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
	EVP_MD_CTX *digest;
} session;

enum { USER = 1, OFFICER = 2 };
extern int logged_in;  // 0: nobody
int sessions_reading(void);
session *session_of(CK_SESSION_HANDLE);
void session_stop(session *);
void sessions_end(void);
#define SESSION(h) session *s = session_of(h); if (!s) return number("present", 1) ? CKR_SESSION_HANDLE_INVALID : CKR_DEVICE_REMOVED
#define WRITING(h) SESSION(h); if (!s->rw) return CKR_SESSION_READ_ONLY; if (logged_in != USER) return CKR_USER_NOT_LOGGED_IN

// pin.c

int wrong_tries(const char *suffix);
void set_wrong_tries(const char *suffix, int);
int pin_now(char *out, size_t size);
int pin_expired(void);
void pin_info(CK_TOKEN_INFO *);
CK_RV officer_login(session *, unsigned char *pin, CK_ULONG length);

// mechanism.c

typedef struct { CK_MECHANISM_TYPE type; CK_KEY_TYPE key; int digest; CK_MECHANISM_INFO info; } mechanism;
const mechanism *mechanism_of(CK_MECHANISM_TYPE, CK_FLAGS use);
int parameter_fits(const CK_MECHANISM *, int digest);

// bring.c

CK_RV bring(object *);

// key.c

ENGINE *gost(void);
const EVP_MD *digest_of(int nid);
CK_ULONG signature_size(object *);
EVP_PKEY *key_of(object *);
int seed(void);

// The functions of PKCS#11 that are here; module.c lists them.
#define FUNCTIONS(F) \
	F(C_Initialize) F(C_Finalize) F(C_GetInfo) F(C_GetSlotList) F(C_GetSlotInfo) F(C_GetTokenInfo) F(C_GetMechanismList) \
	F(C_GetMechanismInfo) F(C_OpenSession) F(C_CloseSession) F(C_CloseAllSessions) F(C_GetSessionInfo) F(C_Login) F(C_Logout) \
	F(C_CreateObject) F(C_DestroyObject) F(C_GetAttributeValue) F(C_FindObjectsInit) F(C_FindObjects) F(C_FindObjectsFinal) \
	F(C_DigestInit) F(C_Digest) F(C_DigestUpdate) F(C_DigestFinal) F(C_SignInit) F(C_Sign) F(C_SignUpdate) F(C_VerifyInit) \
	F(C_Verify) F(C_GenerateKeyPair) F(C_GenerateRandom) F(C_InitToken) F(C_InitPIN) F(C_SetPIN)
enum { THE_SLOT = 4, NEIGHBOUR = 1 };
