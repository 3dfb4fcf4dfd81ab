// The life of the PINs: who may set them, by what, and what the token takes as a new one. What changed lies beside the control file and
// outweighs it: CONTROL.userpin (empty: not set), CONTROL.sopin, CONTROL.label; CONTROL.sotries counts as CONTROL.tries does.

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module.h"

enum { SHORTEST = 4, LONGEST = 16 };

// kept reads what lies beside the control file.
static int kept(const char *suffix, char *out, size_t size) {
	FILE *f = beside(suffix, "r");
	if (!f) return 0;
	out[fread(out, 1, size - 1, f)] = 0;
	fclose(f);
	return 1;
}

static void keep(const char *suffix, const void *value, size_t length) {
	FILE *f = beside(suffix, "w");
	if (f) { fwrite(value, 1, length, f); fclose(f); }
}

int wrong_tries(const char *suffix) {
	char text[32];
	return kept(suffix, text, sizeof text) ? atoi(text) : 0;
}

void set_wrong_tries(const char *suffix, int n) {
	char text[32];
	keep(suffix, text, snprintf(text, sizeof text, "%d\n", n));
}

// pin_now gives the user's PIN; 0 when there is none.
int pin_now(char *out, size_t size) {
	if (kept("userpin", out, size)) return *out != 0;
	snprintf(out, size, "1234");
	setting("pin", NULL, out, size);
	return number("pinset", 1) != 0;
}

// pin_there tells whether there is one, and reads none: a process that only lists tokens is to know no PIN.
static int pin_there(void) {
	FILE *f = beside("userpin", "r");
	if (!f) return number("pinset", 1) != 0;
	struct stat about;
	int there = !fstat(fileno(f), &about) && about.st_size > 0;
	fclose(f);
	return there;
}

int pin_expired(void) {
	char changed[64];
	return number("expired", 0) && !kept("userpin", changed, sizeof changed);
}

static void sopin_now(char *out, size_t size) {
	if (kept("sopin", out, size)) return;
	snprintf(out, size, "87654321");
	setting("sopin", NULL, out, size);
}

static int fresh(void) {  // nobody initialized it yet
	char label[64];
	return number("uninitialized", 0) && !kept("label", label, sizeof label);
}

// pin_info completes what is told of the token.
void pin_info(CK_TOKEN_INFO *i) {
	char text[64];
	int wrong = wrong_tries("sotries"), tries = number("sotries", 3);
	if (!fresh()) i->flags |= CKF_TOKEN_INITIALIZED;
	if (pin_there()) i->flags |= CKF_USER_PIN_INITIALIZED;
	if (number("tobechanged", 0) && !kept("userpin", text, sizeof text)) i->flags |= CKF_USER_PIN_TO_BE_CHANGED;
	if (kept("label", text, sizeof text)) memcpy(i->label, text, 32);
	if (wrong) i->flags |= CKF_SO_PIN_COUNT_LOW;
	if (wrong == tries - 1) i->flags |= CKF_SO_PIN_FINAL_TRY;
	if (wrong >= tries) i->flags |= CKF_SO_PIN_LOCKED;
	i->ulMinPinLen = number("minpin", SHORTEST), i->ulMaxPinLen = number("maxpin", LONGEST);
}

// compare spends a try of the counter unless what was typed is right.
static CK_RV compare(const char *counter, int tries, const char *right, const unsigned char *typed, CK_ULONG length) {
	int wrong = wrong_tries(counter);
	if (wrong >= tries) return CKR_PIN_LOCKED;
	if (length != strlen(right) || memcmp(typed, right, length)) {
		set_wrong_tries(counter, wrong + 1);
		return wrong + 1 >= tries ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
	}
	if (wrong) set_wrong_tries(counter, 0);
	return CKR_OK;
}

// at_pad replaces what was to be typed by what the person does at the reader.
static CK_RV at_pad(const char *right, const char *otherwise, unsigned char **typed, CK_ULONG *length) {
	static char finger[64];
	if (!number("pinpad", 0)) return *typed ? CKR_OK : CKR_ARGUMENTS_BAD;
	if (*typed || *length) return CKR_ARGUMENTS_BAD;
	snprintf(finger, sizeof finger, "right");
	setting("pad", NULL, finger, sizeof finger);
	if (!strcmp(finger, "cancel")) return CKR_FUNCTION_CANCELED;
	*typed = (unsigned char *)(strcmp(finger, "right") ? otherwise : right);
	*length = strlen((char *)*typed);
	return CKR_OK;
}

static CK_RV officer(unsigned char *typed, CK_ULONG length) {
	char right[64];
	sopin_now(right, sizeof right);
	CK_RV e = at_pad(right, "0000", &typed, &length);
	return e ? e : compare("sotries", number("sotries", 3), right, typed, length);
}

CK_RV officer_login(session *s, unsigned char *pin, CK_ULONG length) {
	if (!s->rw || sessions_reading()) return CKR_SESSION_READ_ONLY_EXISTS;
	if (logged_in == OFFICER) return CKR_USER_ALREADY_LOGGED_IN;
	if (logged_in) return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	CK_RV e = officer(pin, length);
	if (!e) logged_in = OFFICER;
	return e;
}

// takes says whether the token takes a new PIN.
static CK_RV takes(const unsigned char *pin, CK_ULONG length) {
	char value[64];
	if (length < SHORTEST || length > LONGEST) return CKR_PIN_LEN_RANGE;
	if (setting("alphabet", "digits", NULL, 0)) for (CK_ULONG i = 0; i < length; i++) if (!isdigit(pin[i])) return CKR_PIN_INVALID;
	if (setting("weak", NULL, value, sizeof value) && length == strlen(value) && !memcmp(pin, value, length)) return 0x1B8;  // CKR_PIN_TOO_WEAK
	return CKR_OK;
}

static CK_RV set_pin(unsigned char *pin, CK_ULONG length) {
	CK_RV e = at_pad("9876", "9876", &pin, &length);
	if (!e) e = takes(pin, length);
	if (e) return e;
	keep("userpin", pin, length);
	set_wrong_tries("tries", 0);
	return CKR_OK;
}

CK_RV C_InitPIN(CK_SESSION_HANDLE h, unsigned char *pin, CK_ULONG length) {
	ENTER("C_InitPIN");
	SESSION(h);
	if (logged_in != OFFICER) return CKR_USER_NOT_LOGGED_IN;
	CK_RV e = set_pin(pin, length);
	if (e && number("spiteful", 0)) set_wrong_tries("sotries", wrong_tries("sotries") + 1);
	return told(e);
}

// C_SetPIN changes the user's PIN, or the SO-PIN while that is logged in. With "unblock puk" a locked PIN is set by the SO-PIN in place of
// the old one, as OpenSC does it for cards with a PUK.
CK_RV C_SetPIN(CK_SESSION_HANDLE h, unsigned char *old, CK_ULONG old_length, unsigned char *pin, CK_ULONG length) {
	ENTER("C_SetPIN");
	SESSION(h);
	char right[64];
	if (!s->rw) return CKR_SESSION_READ_ONLY;
	int tries = number("tries", 3);
	CK_RV e;
	if (!logged_in && setting("unblock", "puk", NULL, 0) && wrong_tries("tries") >= tries) {
		if (!number("pinpad", 0) && (e = takes(pin, length))) return e;
		return (e = officer(old, old_length)) ? e : told(set_pin(pin, length));
	}
	if (logged_in == OFFICER) {
		if ((e = officer(old, old_length)) || (e = takes(pin, length))) return e;
		keep("sopin", pin, length);
		return CKR_OK;
	}
	if (!pin_now(right, sizeof right)) return CKR_USER_PIN_NOT_INITIALIZED;
	if (wrong_tries("tries") >= tries) return CKR_PIN_LOCKED;
	if (!number("pinpad", 0) && pin && (e = takes(pin, length))) {  // before the old one is looked at, as cards do
		if (number("spiteful", 0)) set_wrong_tries("tries", wrong_tries("tries") + 1);
		return e;
	}
	if ((e = at_pad(right, "0000", &old, &old_length)) || (e = compare("tries", tries, right, old, old_length))) return e;
	return told(set_pin(pin, length));
}

// C_InitToken takes everything away. A token that nobody initialized yet takes its SO-PIN from it.
CK_RV C_InitToken(CK_SLOT_ID slot, unsigned char *pin, CK_ULONG length, unsigned char *label) {
	ENTER("C_InitToken");
	char folder[4200], name[4600];
	if (slot != THE_SLOT) return CKR_SLOT_ID_INVALID;
	if (!number("present", 1)) return CKR_TOKEN_NOT_PRESENT;
	if (number("readonly", 0)) return CKR_TOKEN_WRITE_PROTECTED;
	for (CK_SESSION_HANDLE h = 1; h <= SESSIONS; h++) if (session_of(h)) return CKR_SESSION_EXISTS;
	CK_RV e = fresh() && !number("pinpad", 0) ? takes(pin, length) : officer(pin, length);
	if (e) return e;
	if (fresh()) keep("sopin", pin, length);
	seed();
	snprintf(folder, sizeof folder, "%s.objects", control_path());
	DIR *d = opendir(folder);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (*entry->d_name == '.') continue;
		snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
		unlink(name);
	}
	if (d) closedir(d);
	keep("label", label, 32);
	keep("userpin", "", 0);
	set_wrong_tries("tries", 0);
	return told(CKR_OK);
}
