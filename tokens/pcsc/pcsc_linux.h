#pragma once

enum { MOST_READERS = 16, LONGEST_NAMES = MOST_READERS * 128 };

// load_service finds the service's library; 0 when there is none. It is called once, before anything else.
int load_service(void);

// reader_states writes the names of the readers, a NUL after each, and their SCARD_READERSTATE.dwEventState; it gives the length of the names, 0 when
// there are no readers or no card service.
int reader_states(char names[LONGEST_NAMES], unsigned long states[MOST_READERS]);
