// The control file is read anew at each call; tests change it as they go.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

const char *control_path(void) {
	static char path[4096];
	if (!*path) {
		const char *named = getenv("PERO_TEST_MODULE_CONTROL");
		Dl_info me;
		if (named) snprintf(path, sizeof path, "%s", named);
		else if (dladdr((void *)control_path, &me)) snprintf(path, sizeof path, "%s.control", me.dli_fname);
	}
	return path;
}

FILE *beside(const char *suffix, const char *mode) {
	char name[4200];
	snprintf(name, sizeof name, "%s.%s", control_path(), suffix);
	return fopen(name, mode);
}

// setting copies the value of a key's line to out; the second word of the line must be `sub` when that is given.
int setting(const char *name, const char *sub, char *out, size_t size) {
	FILE *f = fopen(control_path(), "r");
	char line[512];
	int found = 0;
	if (!f) return 0;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = 0;
		char *value = strchr(line, ' ');
		if (value) *value++ = 0; else value = line + strlen(line);
		if (strcmp(line, name)) continue;
		if (sub) {
			size_t n = strlen(sub);
			if (strncmp(value, sub, n) || (value[n] && value[n] != ' ')) continue;
			value += n + (value[n] == ' ');
		}
		if (out) snprintf(out, size, "%s", value);
		found = 1;
	}
	fclose(f);
	return found;
}

long number(const char *name, long otherwise) {
	char value[64];
	return setting(name, NULL, value, sizeof value) ? strtol(value, NULL, 0) : otherwise;
}

// field fills a padded text with a setting, or with what it is otherwise.
void field(unsigned char *to, size_t n, const char *name, const char *otherwise) {
	char value[64];
	if (!name || !setting(name, NULL, value, sizeof value)) snprintf(value, sizeof value, "%s", otherwise);
	size_t length = strlen(value);
	memset(to, ' ', n);
	memcpy(to, value, length < n ? length : n);
}

// note adds a line to the log of calls.
void note(const char *what, const char *function) {
	FILE *f = beside("calls", "a");
	if (f) { fprintf(f, "%s%s\n", what, function); fclose(f); }
}

// enter notes the call, and does what the control file wants done to it.
CK_RV enter(const char *function) {
	char value[64];
	note("", function);
	fault(function);
	return setting("fail", function, value, sizeof value) ? strtoul(value, NULL, 0) : CKR_OK;
}
