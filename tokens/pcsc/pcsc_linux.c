// The part of pcsc-lite's winscard.h that is needed, by the types it has on Linux: LONG and DWORD are a long.

#include "pcsc_linux.h"

#include <dlfcn.h>
#include <string.h>

typedef struct {
	const char *reader;
	void *user;
	unsigned long current, event, atr_length;
	unsigned char atr[33];
} reader_state;

static struct {
	long (*establish)(unsigned long, const void *, const void *, long *);
	long (*release)(long);
	long (*list)(long, const char *, char *, unsigned long *);
	long (*status)(long, unsigned long, reader_state *, unsigned long);
} card_service;

int load_service(void) {
	void *library = dlopen("libpcsclite.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library) return 0;
	*(void **)&card_service.establish = dlsym(library, "SCardEstablishContext");
	*(void **)&card_service.release = dlsym(library, "SCardReleaseContext");
	*(void **)&card_service.list = dlsym(library, "SCardListReaders");
	if (card_service.establish && card_service.release && card_service.list)
		*(void **)&card_service.status = dlsym(library, "SCardGetStatusChange");
	return card_service.status != NULL;
}

int reader_states(char names[LONGEST_NAMES], unsigned long states[MOST_READERS]) {
	enum { SCOPE_SYSTEM = 2 };
	long context;
	unsigned long length = LONGEST_NAMES, count = 0;
	if (card_service.establish(SCOPE_SYSTEM, NULL, NULL, &context)) return 0;
	if (card_service.list(context, NULL, names, &length)) length = 0;
	reader_state list[MOST_READERS];
	memset(list, 0, sizeof list);
	const char *name = names;
	for (; name < names + length && *name && count < MOST_READERS; name += strlen(name) + 1) list[count++].reader = name;
	length = name - names;
	if (count && card_service.status(context, 0, list, count)) length = 0;
	for (unsigned long i = 0; i < count; i++) states[i] = list[i].event;
	card_service.release(context);
	return length;
}
