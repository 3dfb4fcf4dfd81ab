// What a bad library does to its caller: it dies, hangs, prints, lies about counts and lengths, and signs with another key.

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module.h"

static __thread const char *running;  // the function that this thread is in

// print writes so many octets to both standard streams: on the one as a single line without an end, on the other as many short ones.
static void print(size_t n) {
	char line[4096];
	memset(line, 'x', sizeof line);
	for (size_t left = n; left; ) {
		ssize_t some = write(1, line, left < sizeof line ? left : sizeof line);
		if (some <= 0) break;
		left -= some;
	}
	for (size_t i = 0; i < sizeof line; i += 16) line[i] = '\n';
	line[1] = 0, line[2] = (char)0xff;
	for (size_t left = n; left; ) {
		ssize_t some = write(2, line, left < sizeof line ? left : sizeof line);
		if (some <= 0) break;
		left -= some;
	}
}

// fault does to a call what the control file wants done to it before its work.
void fault(const char *function) {
	char value[64];
	running = function;
	if (setting("print", function, value, sizeof value)) print(strtoul(value, NULL, 0));
	if (setting("crash", function, NULL, 0)) abort();
	if (setting("core", function, NULL, 0)) signal(SIGABRT, SIG_DFL), abort();
	if (setting("segv", function, NULL, 0)) raise(SIGSEGV), *(volatile int *)8 = 0;
	if (setting("exit", function, NULL, 0)) exit(0);
	if (setting("hang", function, NULL, 0) || setting("spin", function, NULL, 0)) note("hangs ", function);
	while (setting("hang", function, NULL, 0)) usleep(20000);
	for (unsigned i = 0; setting("spin", function, NULL, 0); i++) for (volatile int k = 0; k < 1000000; k++) ;
	if (setting("slow", function, value, sizeof value)) usleep(1000 * strtoul(value, NULL, 0));
}

// faulted is fault after the work: what was to be done is done, and nobody is told.
void faulted(void) {
	if (running && setting("crashafter", running, NULL, 0)) abort();
	if (running && setting("hangafter", running, NULL, 0)) for (note("hangs ", running);;) pause();
}

// told gives what the caller is told of work that is done.
CK_RV told(CK_RV e) {
	char value[64];
	return !e && setting("failafter", running, value, sizeof value) ? strtoul(value, NULL, 0) : e;
}

// handed gives the handle that a function says it made.
CK_ULONG handed(CK_ULONG truth) {
	char value[64];
	return setting("handle", running, value, sizeof value) ? strtoul(value, NULL, 0) : truth;
}

// claim gives what a function says of a count or a length: the truth, or a first answer to who asks how much room it takes, and a second
// to who brings the room.
CK_ULONG claim(const char *function, int reading, CK_ULONG truth) {
	char value[64], *second;
	if (!setting("count", function, value, sizeof value)) return truth;
	CK_ULONG first = strtoul(value, &second, 0);
	return reading && *second ? strtoul(second, NULL, 0) : first;
}

// claim_length is claim for an attribute.
CK_ULONG claim_length(CK_ATTRIBUTE_TYPE type, int reading, CK_ULONG truth) {
	char name[32], value[64], *second;
	snprintf(name, sizeof name, "0x%lx", type);
	if (!setting("length", name, value, sizeof value)) return truth;
	CK_ULONG first = strtoul(value, &second, 0);
	return reading && *second ? strtoul(second, NULL, 0) : first;
}

// another gives a new key of the same kind.
EVP_PKEY *another(EVP_PKEY *key) {
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return EVP_RSA_gen(EVP_PKEY_get_bits(key));
	EVP_PKEY *other = NULL;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? NULL : gost());
	if (!c || EVP_PKEY_keygen_init(c) <= 0 || EVP_PKEY_keygen(c, &other) <= 0) abort();
	EVP_PKEY_CTX_free(c);
	return other;
}

// The certificate that is there from the beginning is shown again under each of these handles: MANY and those above it as it is, LARGE with so
// many octets.
enum { SEEDED = 3, LARGE = (1 << 20) - 1, MANY = 1 << 20 };

CK_ULONG crowd(void) { return number("many", 0) + (number("large", 0) > 0); }

CK_OBJECT_HANDLE crowd_handle(CK_ULONG i) { return number("large", 0) > 0 ? LARGE + i : MANY + i; }

CK_OBJECT_HANDLE crowd_original(CK_OBJECT_HANDLE h) { return h >= LARGE ? SEEDED : h; }

void crowd_dress(object *o) {
	if (o->handle != LARGE) return;
	CK_ULONG n = number("large", 0);
	void *octets = calloc(n, 1);
	object_set(o, CKA_VALUE, octets, n);
	free(octets);
}
