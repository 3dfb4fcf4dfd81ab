#pragma once
#include <gtk/gtk.h>

/* What came of a window; Go's answer. One that was withdrawn is TIMED_OUT, however it is closed. */
enum { AGREED, CANCELLED, BLOCKED, TIMED_OUT };

/* dialog.c: one window. Its parts are given from top to bottom; an empty text is left out. */
gboolean open_display(void);
void ask_soon(void);
void withdraw_soon(void);
void dialog_new(const char *title);
void dialog_head(const char *who, const char *before, const char *owned, const char *after, const char *act);
void dialog_claim(const char *text);
void dialog_list(const char *title);
void dialog_line(const char *name, const char *text);
void dialog_note(const char *text);
void dialog_trouble(const char *text);
void dialog_pin(const char *prompt, const char *repeat, const char *unequal);
void dialog_phrase(const char *text);
void dialog_hints(const char *wait, const char *caps_lock, const char *layout);
void dialog_withdrawal(const char *notice, const char *close);
void dialog_show(const char *ok, const char *cancel, const char *block);
void dialog_withdraw(void);  /* nobody asks any more: it takes nothing, and goes when nobody types into it */
void dialog_refresh(void); /* after the guard let something in or out, or a PIN was typed */
void dialog_restarted(void); /* the guard waits anew */
void dialog_end(int result);
PangoAttrList *no_hyphens(void); /* a name that is broken into lines gets none, for it has none */

/* list.c: what a request is about, row by row. */
GtkWidget *list_new(void);
void list_item(const char *text, const char *digest);
int list_fill(int width, int height); /* shows the items, and gives the height */
void list_height(int height);
void list_focusable(gboolean yes);

/* guard.c: what was typed for another window is not taken. */
void guard_watch(GtkWidget *window);
void guard_forget(void);
gboolean guard_ready(void);  /* the window has been seen, in front and without a keystroke, for long enough */
gboolean guard_typing(void); /* a keystroke of the person is being handled */
void guard_deafen(void);     /* from now on no key is taken but Escape, and that after the wait */

/* keyboard.c */
char *keyboard_layout(void); /* the name of the layout in use where there are several, else NULL; to be freed by g_free */

/* pin.c: PINs in memory that is locked, left out of core files and wiped. */
gboolean pin_memory(void);
GtkEntryBuffer *pin_buffer(int nth); /* 0, and 1 for the same PIN once more */
void pin_send(void);                 /* the first, as a data line of Assuan */
gboolean pin_same(void);
void pin_wipe(void);
