// The yardstick: signatures a second by bare C_Sign, one thread, one session. Usage: csign MODULE PIN ID COUNT [LABEL
// PARAMETERS]; prints a number. An empty ID stands for the only key; LABEL is the token's, else the first is taken; PARAMETERS are C_Initialize's.
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(const char *what, CK_RV rv) {
	if (rv != CKR_OK) {
		fprintf(stderr, "csign: %s: 0x%lx\n", what, rv);
		exit(1);
	}
}

int main(int argc, char **argv) {
	if (argc != 5 && argc != 7) return 2;
	void *lib = dlopen(argv[1], RTLD_NOW);
	if (!lib) return 3;
	CK_C_GetFunctionList list;
	*(void **)&list = dlsym(lib, "C_GetFunctionList");
	CK_FUNCTION_LIST_PTR p;
	check("C_GetFunctionList", list(&p));
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK, .pReserved = argc == 7 && *argv[6] ? argv[6] : NULL};
	check("C_Initialize", p->C_Initialize(&arguments));
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16, slot = 0;
	check("C_GetSlotList", p->C_GetSlotList(CK_TRUE, slots, &n));
	for (; argc == 7 && slot < n; slot++) {
		CK_TOKEN_INFO token;
		size_t length = strlen(argv[5]);
		if (!p->C_GetTokenInfo(slots[slot], &token) && length < sizeof token.label && !memcmp(token.label, argv[5], length) && token.label[length] == ' ') break;
	}
	if (slot >= n) return 4;
	CK_SESSION_HANDLE s;
	check("C_OpenSession", p->C_OpenSession(slots[slot], CKF_SERIAL_SESSION, NULL, NULL, &s));
	check("C_Login", p->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)argv[2], strlen(argv[2])));
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_BYTE id = (CK_BYTE)strtoul(argv[3], NULL, 16);
	CK_ATTRIBUTE find[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, &id, 1}};
	CK_ULONG known = *argv[3] ? 2 : 1;
	CK_OBJECT_HANDLE key;
	check("C_FindObjectsInit", p->C_FindObjectsInit(s, find, known));
	check("C_FindObjects", p->C_FindObjects(s, &key, 1, &n));
	check("C_FindObjectsFinal", p->C_FindObjectsFinal(s));
	if (n != 1) return 4;
	CK_KEY_TYPE type;
	CK_ATTRIBUTE kind = {CKA_KEY_TYPE, &type, sizeof type};
	check("C_GetAttributeValue", p->C_GetAttributeValue(s, key, &kind, 1));
	CK_MECHANISM mechanism = {type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
	CK_BYTE digest[51] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	CK_BYTE *in = type == CKK_RSA ? digest : digest + 19, out[512];
	int count = atoi(argv[4]);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < count; i++) {
		memcpy(digest + 19, &i, sizeof i);
		CK_ULONG length = sizeof out;
		check("C_SignInit", p->C_SignInit(s, &mechanism, key));
		check("C_Sign", p->C_Sign(s, in, type == CKK_RSA ? 51 : 32, out, &length));
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f\n", count / ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9));
	p->C_Finalize(NULL);
	return 0;
}
