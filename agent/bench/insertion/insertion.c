// The floor of P11: when PC/SC itself tells of a card. Usage: insertion READER; prints "ready", and at the card's insertion the time: nanoseconds of
// CLOCK_REALTIME.
#include <stdio.h>
#include <time.h>
#include <winscard.h>

int main(int argc, char **argv) {
	SCARDCONTEXT context;
	SCARD_READERSTATE state = {.szReader = argv[1], .dwCurrentState = SCARD_STATE_UNAWARE};
	if (argc != 2 || SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context)) return 2;
	if (SCardGetStatusChange(context, 0, &state, 1) || state.dwEventState & SCARD_STATE_PRESENT) return 3;
	puts("ready");
	fflush(stdout);
	do {
		state.dwCurrentState = state.dwEventState;
		if (SCardGetStatusChange(context, 60000, &state, 1)) return 4;
	} while (!(state.dwEventState & SCARD_STATE_PRESENT));
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
	return 0;
}
