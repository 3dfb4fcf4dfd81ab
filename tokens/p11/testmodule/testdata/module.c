// A real Cryptoki (PKCS#11 v2.40) module for tests: one token with keys by libcrypto and OpenSSL's GOST engine, and every misfortune on
// demand. What it does is said by a control file; see testmodule.go. Here are its life, its lock and its slots.

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "module.h"

int initialized;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int shared = -1;

// hold takes the lock of this process, then that of all. A card that is out takes every session with it.
int hold(void) {
	char name[4200];
	pthread_mutex_lock(&lock);
	snprintf(name, sizeof name, "%s.lock", control_path());
	shared = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (shared >= 0) flock(shared, LOCK_EX);
	if (!number("present", 1)) sessions_end();
	return 1;
}

void leave(int *held) {
	(void)held;
	if (shared >= 0) close(shared);
	pthread_mutex_unlock(&lock);
	faulted();
}

CK_RV C_Initialize(void *arguments) {
	(void)arguments;
	CK_RV e = enter("C_Initialize");
	if (e) return e;
	if (initialized) return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	initialized = 1;
	faulted();
	return CKR_OK;
}

CK_RV C_Finalize(void *reserved) {
	(void)reserved;
	ENTER("C_Finalize");
	sessions_end();
	initialized = 0;
	return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO *i) {
	ENTER("C_GetInfo");
	memset(i, 0, sizeof *i);
	i->cryptokiVersion = (CK_VERSION){2, 40};
	field(i->manufacturerID, 32, "library", "Pero");
	field(i->libraryDescription, 32, NULL, "Test module");
	return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count) {
	ENTER("C_GetSlotList");
	CK_SLOT_ID slots[2];
	CK_ULONG n = 0;
	if (number("neighbour", 0)) slots[n++] = NEIGHBOUR;
	if (!present || number("present", 1)) slots[n++] = THE_SLOT;
	CK_ULONG room = *count;
	*count = claim("C_GetSlotList", list != NULL, n);
	if (list && room < n) return CKR_BUFFER_TOO_SMALL;
	if (list) memcpy(list, slots, n * sizeof *slots);
	return CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *i) {
	ENTER("C_GetSlotInfo");
	if (slot != THE_SLOT && slot != NEIGHBOUR) return CKR_SLOT_ID_INVALID;
	memset(i, 0, sizeof *i);
	field(i->slotDescription, 64, slot == NEIGHBOUR ? NULL : "reader", slot == NEIGHBOUR ? "Bad reader" : "Test reader");
	field(i->manufacturerID, 32, NULL, "Pero");
	i->flags = CKF_REMOVABLE_DEVICE | CKF_HW_SLOT | (slot == NEIGHBOUR || number("present", 1) ? CKF_TOKEN_PRESENT : 0);
	return CKR_OK;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE h, unsigned char *out, CK_ULONG n) {
	ENTER("C_GenerateRandom");
	SESSION(h);
	int f = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(f, out, n);
	close(f);
	return got == (ssize_t)n ? CKR_OK : CKR_DEVICE_ERROR;
}

static CK_RV unsupported(void) { return CKR_FUNCTION_NOT_SUPPORTED; }

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
	static CK_FUNCTION_LIST functions;
	void **all = (void **)&functions.C_Initialize;
	for (size_t i = 0; i < (sizeof functions - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof *all; i++) all[i] = unsupported;
	functions.version = (CK_VERSION){2, 40};
#define LISTED(name) functions.name = name;
	FUNCTIONS(LISTED)
	functions.C_GetFunctionList = C_GetFunctionList;
	*list = &functions;
	return CKR_OK;
}
