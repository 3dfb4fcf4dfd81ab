// Another program that has the card: hold exclusive|transaction READER. It says "held" and lets go at the end of its input.

#include <stdio.h>
#include <string.h>
#include <winscard.h>

int main(int argc, char **argv) {
	SCARDCONTEXT context;
	SCARDHANDLE card;
	DWORD protocol;
	if (argc != 3) return 2;
	int exclusive = !strcmp(argv[1], "exclusive");
	LONG e = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
	if (!e) e = SCardConnect(context, argv[2], exclusive ? SCARD_SHARE_EXCLUSIVE : SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol);
	if (!e && !exclusive) e = SCardBeginTransaction(card);
	puts(e ? pcsc_stringify_error(e) : "held");
	fflush(stdout);
	while (getchar() != EOF) {}
	if (!e) SCardDisconnect(card, SCARD_LEAVE_CARD);
	return e != 0;
}
