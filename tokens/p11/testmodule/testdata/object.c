// The objects on the token lie in a folder beside the control file, each a file of attributes: type, length, octets.

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module.h"

enum { LARGEST = 1 << 16 };

void object_free(object *o) {
	if (!o) return;
	for (CK_ULONG i = 0; i < o->count; i++) free(o->list[i].pValue);
	free(o);
}

CK_ATTRIBUTE *object_get(object *o, CK_ATTRIBUTE_TYPE type) {
	for (CK_ULONG i = 0; i < o->count; i++) if (o->list[i].type == type) return &o->list[i];
	return NULL;
}

void object_set(object *o, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length) {
	CK_ATTRIBUTE *a = object_get(o, type);
	if (!a) {
		if (o->count == sizeof o->list / sizeof *o->list) abort();
		a = &o->list[o->count++];
	} else free(a->pValue);
	*a = (CK_ATTRIBUTE){type, malloc(length + 1), length};
	if (length) memcpy(a->pValue, value, length);
}

void object_set_flag(object *o, CK_ATTRIBUTE_TYPE type, int yes) { object_set(o, type, &(CK_BBOOL){yes}, sizeof(CK_BBOOL)); }
void object_set_number(object *o, CK_ATTRIBUTE_TYPE type, CK_ULONG n) { object_set(o, type, &n, sizeof n); }

CK_ULONG object_number(object *o, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise) {
	CK_ATTRIBUTE *a = object_get(o, type);
	if (a && a->ulValueLen == sizeof otherwise) memcpy(&otherwise, a->pValue, sizeof otherwise);
	return otherwise;
}

static int object_flag(object *o, CK_ATTRIBUTE_TYPE type, int otherwise) {
	CK_ATTRIBUTE *a = object_get(o, type);
	return a && a->ulValueLen == 1 ? *(CK_BBOOL *)a->pValue : otherwise;
}

// object_new copies a template; NULL when that cannot be right.
object *object_new(CK_ATTRIBUTE *template, CK_ULONG count) {
	object *o = calloc(1, sizeof *o);
	for (CK_ULONG i = 0; i < count; i++) {
		if (o->count > 20 || template[i].type >= CKA_VENDOR_DEFINED || template[i].ulValueLen > LARGEST) { object_free(o); return NULL; }
		object_set(o, template[i].type, template[i].pValue, template[i].ulValueLen);
	}
	return o;
}

static void name_of(char *out, size_t size, CK_OBJECT_HANDLE h) { snprintf(out, size, "%s.objects/%08lu", control_path(), h); }

static CK_ULONG handles(CK_OBJECT_HANDLE *list, CK_ULONG room) {
	char folder[4200];
	snprintf(folder, sizeof folder, "%s.objects", control_path());
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);
	CK_ULONG count = 0;
	for (int i = 0; i < n; i++) {
		CK_OBJECT_HANDLE h = strtoul(entries[i]->d_name, NULL, 10);
		if (h && count < room) list[count++] = h;
		free(entries[i]);
	}
	if (n >= 0) free(entries);
	return count;
}

// object_store writes a new object under a number above all others, whole or not at all.
CK_RV object_store(object *o) {
	char name[4300], part[4310], folder[4200];
	CK_OBJECT_HANDLE there[4096];
	snprintf(folder, sizeof folder, "%s.objects", control_path());
	mkdir(folder, 0700);
	CK_ULONG n = handles(there, 4096);
	if (n == 4096) return CKR_DEVICE_MEMORY;
	o->handle = n ? there[n - 1] + 1 : 1;
	name_of(name, sizeof name, o->handle);
	snprintf(part, sizeof part, "%s.objects/.new", control_path());
	FILE *f = fopen(part, "w");
	if (!f) return CKR_DEVICE_ERROR;
	for (CK_ULONG i = 0; i < o->count; i++) {
		CK_ATTRIBUTE *a = &o->list[i];
		fwrite(&a->type, sizeof a->type, 1, f);
		fwrite(&a->ulValueLen, sizeof a->ulValueLen, 1, f);
		fwrite(a->pValue, 1, a->ulValueLen, f);
	}
	int bad = ferror(f) | fclose(f);
	return bad || rename(part, name) ? CKR_DEVICE_ERROR : CKR_OK;
}

static object *object_read(CK_OBJECT_HANDLE h) {
	char name[4300];
	name_of(name, sizeof name, crowd_original(h));
	FILE *f = fopen(name, "r");
	if (!f) return NULL;
	static char value[LARGEST];
	object *o = calloc(1, sizeof *o);
	CK_ATTRIBUTE a;
	o->handle = h;
	while (fread(&a.type, sizeof a.type, 1, f) == 1 && fread(&a.ulValueLen, sizeof a.ulValueLen, 1, f) == 1 && a.ulValueLen <= LARGEST &&
		fread(value, 1, a.ulValueLen, f) == a.ulValueLen) object_set(o, a.type, value, a.ulValueLen);
	fclose(f);
	crowd_dress(o);
	return o;
}

// visible: a private object after login, and what the control file does not hide.
static int visible(object *o) {
	CK_OBJECT_CLASS class = object_number(o, CKA_CLASS, CKO_DATA);
	CK_ATTRIBUTE *kind = object_get(o, OWN_KIND);
	char key[16] = "ec";
	setting("key", NULL, key, sizeof key);
	if (kind && (kind->ulValueLen != strlen(key) || memcmp(kind->pValue, key, kind->ulValueLen))) return 0;
	if (class == CKO_PUBLIC_KEY && number("nopublic", 0)) return 0;
	if (class == CKO_CERTIFICATE && number("nocertificate", 0)) return 0;
	return logged_in == USER || !object_flag(o, CKA_PRIVATE, class == CKO_PRIVATE_KEY);
}

object *object_load(CK_OBJECT_HANDLE h) {
	object *o = object_read(h);
	if (!o || visible(o)) return o;
	object_free(o);
	return NULL;
}

// attribute gives a value as the outside sees it; the buffer lives until the next call.
static CK_RV attribute(object *o, CK_ATTRIBUTE_TYPE type, CK_ATTRIBUTE *out) {
	static unsigned char buffer[256];
	CK_OBJECT_CLASS class = object_number(o, CKA_CLASS, CKO_DATA);
	*out = (CK_ATTRIBUTE){type, buffer, 0};
	if (type >= CKA_VENDOR_DEFINED) return CKR_ATTRIBUTE_TYPE_INVALID;
	if (class == CKO_PRIVATE_KEY) switch (type) {
	case CKA_VALUE: case CKA_PRIVATE_EXPONENT: case CKA_PRIME_1: case CKA_PRIME_2: case CKA_EXPONENT_1: case CKA_EXPONENT_2: case CKA_COEFFICIENT:
		return CKR_ATTRIBUTE_SENSITIVE;
	case CKA_ALWAYS_AUTHENTICATE:
		buffer[0] = number("always", 0) != 0, out->ulValueLen = 1;
		return CKR_OK;
	}
	if (type == CKA_GOSTR3411_PARAMS && number("nodigest", 0)) return CKR_ATTRIBUTE_TYPE_INVALID;
	CK_ATTRIBUTE *a = object_get(o, type);
	if (!a && type == CKA_SUBJECT && class != CKO_DATA) return CKR_OK;  // keys have an empty one
	if (!a) return CKR_ATTRIBUTE_TYPE_INVALID;
	*out = *a;
	if (type == CKA_VALUE && class == CKO_PUBLIC_KEY && !number("raw", 1)) {  // as OpenSC has it: in a DER OCTET STRING
		unsigned char *p = buffer;
		*p++ = 4;
		if (a->ulValueLen > 127) *p++ = 0x81;
		*p++ = a->ulValueLen;
		memcpy(p, a->pValue, a->ulValueLen);
		out->pValue = buffer, out->ulValueLen = p - buffer + a->ulValueLen;
	}
	return CKR_OK;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *list, CK_ULONG count) {
	ENTER("C_GetAttributeValue");
	SESSION(h);
	object *o = object_load(handle);
	if (!o) return CKR_OBJECT_HANDLE_INVALID;
	CK_RV result = CKR_OK;
	for (CK_ULONG i = 0; i < count; i++) {
		CK_ATTRIBUTE a;
		CK_RV e = attribute(o, list[i].type, &a);
		if (!e && list[i].pValue && list[i].ulValueLen < a.ulValueLen) e = CKR_BUFFER_TOO_SMALL;
		if (!e && list[i].pValue) memcpy(list[i].pValue, a.pValue, a.ulValueLen);
		list[i].ulValueLen = e ? CK_UNAVAILABLE_INFORMATION : claim_length(list[i].type, list[i].pValue != NULL, a.ulValueLen);
		if (e) result = e;
	}
	object_free(o);
	return result;
}

static int matches(object *o, CK_ATTRIBUTE *list, CK_ULONG count) {
	for (CK_ULONG i = 0; i < count; i++) {
		CK_ATTRIBUTE a;
		if (attribute(o, list[i].type, &a) || a.ulValueLen != list[i].ulValueLen || memcmp(a.pValue, list[i].pValue, a.ulValueLen)) return 0;
	}
	return 1;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE h, CK_ATTRIBUTE *list, CK_ULONG count) {
	ENTER("C_FindObjectsInit");
	SESSION(h);
	if (s->finding) return CKR_OPERATION_ACTIVE;
	if (!seed()) return CKR_GENERAL_ERROR;
	CK_OBJECT_HANDLE there[4096];
	CK_ULONG n = handles(there, 4096);
	free(s->found);
	CK_ULONG more = crowd();
	s->found = calloc(n + more + 1, sizeof *s->found);
	s->finding = 1, s->next = s->hits = 0;
	for (CK_ULONG i = 0; i < n; i++) {
		object *o = object_load(there[i]);
		if (o && matches(o, list, count)) s->found[s->hits++] = there[i];
		object_free(o);
	}
	object *one = more ? object_load(crowd_original(crowd_handle(0))) : NULL;
	if (one && matches(one, list, count)) for (CK_ULONG i = 0; i < more; i++) s->found[s->hits++] = crowd_handle(i);
	object_free(one);
	return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE *list, CK_ULONG max, CK_ULONG *count) {
	ENTER("C_FindObjects");
	SESSION(h);
	if (!s->finding) return CKR_OPERATION_NOT_INITIALIZED;
	for (*count = 0; s->next < s->hits && *count < max; (*count)++) list[*count] = s->found[s->next++];
	*count = claim("C_FindObjects", *count > 0, *count);
	return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE h) {
	ENTER("C_FindObjectsFinal");
	SESSION(h);
	if (!s->finding) return CKR_OPERATION_NOT_INITIALIZED;
	s->finding = 0;
	return CKR_OK;
}

// tear takes out what makes an object worth having, as often as the control file says.
static void tear(object *o) {
	static long torn;
	if (torn >= number("torn", 0)) return;
	torn++;
	CK_ULONG kept = 0;
	for (CK_ULONG i = 0; i < o->count; i++) {
		if (o->list[i].type == CKA_VALUE || o->list[i].type == CKA_SUBJECT) free(o->list[i].pValue);
		else o->list[kept++] = o->list[i];
	}
	o->count = kept;
}

// C_CreateObject takes certificates, data and keys on the token.
CK_RV C_CreateObject(CK_SESSION_HANDLE h, CK_ATTRIBUTE *list, CK_ULONG count, CK_OBJECT_HANDLE *handle) {
	ENTER("C_CreateObject");
	WRITING(h);
	object *o = object_new(list, count);
	if (!o) return CKR_ATTRIBUTE_VALUE_INVALID;
	CK_OBJECT_CLASS class = object_number(o, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
	CK_RV e = CKR_OK;
	int key = class == CKO_PRIVATE_KEY || class == CKO_PUBLIC_KEY;
	if (class != CKO_CERTIFICATE && class != CKO_DATA && !key) e = CKR_TEMPLATE_INCONSISTENT;
	else if (!object_flag(o, CKA_TOKEN, 0)) e = CKR_TEMPLATE_INCONSISTENT;
	else if (key) { if (!(e = bring(o)) && !(e = object_store(o))) *handle = handed(o->handle); }
	else if (!object_get(o, CKA_VALUE)) e = CKR_TEMPLATE_INCOMPLETE;
	else if (class == CKO_CERTIFICATE && object_number(o, CKA_CERTIFICATE_TYPE, CK_UNAVAILABLE_INFORMATION) != CKC_X_509) e = CKR_TEMPLATE_INCOMPLETE;
	else if (tear(o), !(e = object_store(o))) *handle = handed(o->handle);
	object_free(o);
	return told(e);
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE handle) {
	ENTER("C_DestroyObject");
	WRITING(h);
	char name[4300];
	object *o = object_load(handle);
	if (!o) return CKR_OBJECT_HANDLE_INVALID;
	object_free(o);
	name_of(name, sizeof name, handle);
	return told(unlink(name) ? CKR_DEVICE_ERROR : CKR_OK);
}
