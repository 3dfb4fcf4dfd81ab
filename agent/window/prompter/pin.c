#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dialog.h"

enum { LONGEST = 255 }; /* octets: a data line of Assuan takes it with each of them escaped */

static struct secret {
	char pin[2][LONGEST + 1];
	char line[2 + 3 * LONGEST + 1];
} *secret;

gboolean pin_memory(void) {
	secret = mmap(NULL, sizeof *secret, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return FALSE;
	mlock(secret, sizeof *secret); /* may be refused (RLIMIT_MEMLOCK) */
	madvise(secret, sizeof *secret, MADV_DONTDUMP);
	madvise(secret, sizeof *secret, MADV_WIPEONFORK);
	return TRUE;
}

/* PinBuffer is what GtkEntry keeps its text in: GTK's own would leave copies of a PIN in the heap as it grows. */
typedef struct {
	GtkEntryBuffer parent;
	char *text;
	gsize octets;
} PinBuffer;
typedef GtkEntryBufferClass PinBufferClass;
G_DEFINE_TYPE(PinBuffer, pin_buffer, GTK_TYPE_ENTRY_BUFFER)

static const gchar *get_text(GtkEntryBuffer *b, gsize *octets) {
	PinBuffer *p = (PinBuffer *)b;
	if (octets != NULL)
		*octets = p->octets;
	return p->text;
}

static guint get_length(GtkEntryBuffer *b) {
	PinBuffer *p = (PinBuffer *)b;
	return g_utf8_strlen(p->text, p->octets);
}

/* Only a keystroke puts something in: no paste, no drop, no input method, no program by way of the accessibility bus. */
static guint insert_text(GtkEntryBuffer *b, guint position, const gchar *chars, guint n) {
	PinBuffer *p = (PinBuffer *)b;
	gsize octets = g_utf8_offset_to_pointer(chars, n) - chars;
	if (!guard_typing() || p->octets + octets > LONGEST)
		return 0;
	char *at = g_utf8_offset_to_pointer(p->text, position);
	memmove(at + octets, at, p->text + p->octets + 1 - at);
	memcpy(at, chars, octets);
	p->octets += octets;
	gtk_entry_buffer_emit_inserted_text(b, position, chars, n);
	return n;
}

static guint delete_text(GtkEntryBuffer *b, guint position, guint n) {
	PinBuffer *p = (PinBuffer *)b;
	guint length = get_length(b);
	if (position >= length)
		return 0;
	n = MIN(n, length - position);
	char *from = g_utf8_offset_to_pointer(p->text, position), *to = g_utf8_offset_to_pointer(from, n), *end = p->text + p->octets;
	memmove(from, to, end - to);
	explicit_bzero(from + (end - to), to - from);
	p->octets -= to - from;
	gtk_entry_buffer_emit_deleted_text(b, position, n);
	return n;
}

static void pin_buffer_class_init(PinBufferClass *class) {
	class->get_text = get_text;
	class->get_length = get_length;
	class->insert_text = insert_text;
	class->delete_text = delete_text;
}

static void pin_buffer_init(PinBuffer *p) {}

GtkEntryBuffer *pin_buffer(int nth) {
	PinBuffer *p = g_object_new(pin_buffer_get_type(), NULL);
	p->text = secret->pin[nth];
	return &p->parent;
}

gboolean pin_same(void) { return strcmp(secret->pin[0], secret->pin[1]) == 0; }

void pin_send(void) {
	static const char hex[] = "0123456789ABCDEF";
	char *end = secret->line;
	*end++ = 'D';
	*end++ = ' ';
	for (const char *c = secret->pin[0]; *c != 0; c++) {
		if (*c == '%' || *c == '\r' || *c == '\n') {
			*end++ = '%';
			*end++ = hex[*c >> 4];
			*end++ = hex[*c & 15];
		} else
			*end++ = *c;
	}
	*end++ = '\n';
	for (const char *from = secret->line; from < end;) {
		ssize_t n = write(STDOUT_FILENO, from, end - from);
		if (n <= 0)
			break; /* whoever asked is gone */
		from += n;
	}
	explicit_bzero(secret->line, sizeof secret->line);
}

void pin_wipe(void) { explicit_bzero(secret, sizeof *secret); }
