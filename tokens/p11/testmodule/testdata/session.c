// Sessions and the login, whose try counter lies beside the control file, as on the card: every process sees it.

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module.h"

static session sessions[SESSIONS + 1];
int logged_in;

session *session_of(CK_SESSION_HANDLE h) { return h >= 1 && h <= SESSIONS && sessions[h].open ? &sessions[h] : NULL; }

// session_stop ends the signature or verification that is under way.
void session_stop(session *s) {
	object_free(s->key);
	s->key = NULL, s->what = NOTHING;
}

static void session_end(session *s) {
	session_stop(s);
	free(s->found);
	EVP_MD_CTX_free(s->digest);
	memset(s, 0, sizeof *s);
}

void sessions_end(void) {
	for (int h = 1; h <= SESSIONS; h++) session_end(&sessions[h]);
	logged_in = 0;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle) {
	(void)application, (void)notify;
	ENTER("C_OpenSession");
	if (slot != THE_SLOT) return CKR_TOKEN_NOT_RECOGNIZED;
	if (!number("present", 1)) return CKR_TOKEN_NOT_PRESENT;
	if (!(flags & CKF_SERIAL_SESSION)) return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	if ((flags & CKF_RW_SESSION) && number("readonly", 0)) return CKR_TOKEN_WRITE_PROTECTED;
	long open = 0, limit = number("sessions", 0), place = 0;
	for (int h = SESSIONS; h >= 1; h--) if (sessions[h].open) open++; else place = h;
	if (!place || (limit && open >= limit)) return CKR_SESSION_COUNT;
	sessions[place].open = 1, sessions[place].rw = (flags & CKF_RW_SESSION) != 0;
	*handle = handed(place);
	return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE h) {
	ENTER("C_CloseSession");
	SESSION(h);
	session_end(s);
	for (int k = 1; k <= SESSIONS; k++) if (sessions[k].open) return CKR_OK;
	logged_in = 0;
	return CKR_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot) {
	(void)slot;
	ENTER("C_CloseAllSessions");
	sessions_end();
	return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE h, CK_SESSION_INFO *i) {
	ENTER("C_GetSessionInfo");
	SESSION(h);
	*i = (CK_SESSION_INFO){THE_SLOT, s->rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION, CKF_SERIAL_SESSION | (s->rw ? CKF_RW_SESSION : 0), 0};
	i->state += logged_in;  // the states of a user follow those without one, that of the officer follows these
	return CKR_OK;
}

int sessions_reading(void) {
	for (int h = 1; h <= SESSIONS; h++) if (sessions[h].open && !sessions[h].rw) return 1;
	return 0;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *i) {
	ENTER("C_GetTokenInfo");
	if (slot == NEIGHBOUR) return CKR_TOKEN_NOT_RECOGNIZED;
	if (slot != THE_SLOT) return CKR_SLOT_ID_INVALID;
	if (!number("present", 1)) return CKR_TOKEN_NOT_PRESENT;
	memset(i, 0, sizeof *i);
	field(i->label, 32, "label", "Test token");
	field(i->manufacturerID, 32, "manufacturer", "Pero");
	field(i->model, 16, "model", "Test card");
	field(i->serialNumber, 16, "serial", "0123456789abcdef");
	int wrong = wrong_tries("tries"), tries = number("tries", 3);
	i->flags = CKF_RNG | CKF_LOGIN_REQUIRED;
	if (number("readonly", 0)) i->flags |= CKF_WRITE_PROTECTED;
	if (number("pinpad", 0)) i->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (wrong) i->flags |= CKF_USER_PIN_COUNT_LOW;
	if (wrong == tries - 1) i->flags |= CKF_USER_PIN_FINAL_TRY;
	if (wrong >= tries) i->flags |= CKF_USER_PIN_LOCKED;
	i->ulMaxSessionCount = number("sessions", 0);
	pin_info(i);
	i->ulTotalPublicMemory = i->ulFreePublicMemory = i->ulTotalPrivateMemory = i->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
	memset(i->utcTime, '0', 16);
	return CKR_OK;
}

CK_RV C_Login(CK_SESSION_HANDLE h, CK_USER_TYPE user, unsigned char *pin, CK_ULONG length) {
	const char *name = user == CKU_CONTEXT_SPECIFIC ? "C_Login(CKU_CONTEXT_SPECIFIC)" : "C_Login";
	char right[64], finger[64] = "right";
	CK_RV e = enter(name);
	if (e) return e;
	while (number("pinpad", 0) && setting("pad", "wait", NULL, 0)) usleep(20000);
	__attribute__((cleanup(leave))) int held = hold();
	if (!held || !initialized) return CKR_CRYPTOKI_NOT_INITIALIZED;
	SESSION(h);
	if (user == CKU_SO) return told(officer_login(s, pin, length));
	if (user == CKU_CONTEXT_SPECIFIC && s->what != SIGN) return CKR_OPERATION_NOT_INITIALIZED;
	if (user == CKU_USER && logged_in) return CKR_USER_ALREADY_LOGGED_IN;
	if (!pin_now(right, sizeof right)) return CKR_USER_PIN_NOT_INITIALIZED;
	int wrong = wrong_tries("tries"), tries = number("tries", 3), good;
	if (wrong >= tries) return CKR_PIN_LOCKED;
	if (number("pinpad", 0)) {
		if (pin) return CKR_ARGUMENTS_BAD;
		setting("pad", NULL, finger, sizeof finger);
		if (!strcmp(finger, "cancel")) return CKR_FUNCTION_CANCELED;
		good = !strcmp(finger, "right");
	} else {
		if (!pin) return CKR_ARGUMENTS_BAD;
		good = length == strlen(right) && !memcmp(pin, right, length);
	}
	if (!good) {
		set_wrong_tries("tries", wrong + 1);
		return wrong + 1 >= tries ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
	}
	if (wrong) set_wrong_tries("tries", 0);
	if (user == CKU_USER && pin_expired()) return CKR_PIN_EXPIRED;
	if (user == CKU_CONTEXT_SPECIFIC) s->confirmed = 1; else logged_in = USER;
	return told(CKR_OK);
}

CK_RV C_Logout(CK_SESSION_HANDLE h) {
	ENTER("C_Logout");
	SESSION(h);
	if (!logged_in) return CKR_USER_NOT_LOGGED_IN;
	logged_in = 0;
	for (int k = 1; k <= SESSIONS; k++) session_stop(&sessions[k]);
	return CKR_OK;
}
