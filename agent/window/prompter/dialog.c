#include <string.h>
#include "dialog.h"
#include "_cgo_export.h"

enum { COLUMNS = 96, ROWS = 14 }; /* of text: the window's width, the list's height */
enum { CALM = 5 };                /* seconds without a keystroke after which a withdrawn window goes: the sentence is read meanwhile */

static struct {
	GtkWidget *window, *head, *body, *foot, *details, *list, *lines, *hint, *notice, *pin[2], *ok, *cancel, *block;
	char *unequal, *wait, *caps_lock, *layout, *close;
	gboolean differed, withdrawn;
	int named, character, line;
	guint calm;
} d;

static const char css[] =
	".who { font-size: 1.25em; font-weight: bold; }"
	".site { font-family: monospace; font-size: 1.1em; }"
	".act { font-size: 1.1em; }"
	".name { opacity: 0.8; }"
	".trouble { padding: 10px 12px; border: 2px solid @warning_color; border-radius: 6px; }"
	".trouble:disabled { border-color: @borders; }"
	".trouble label { font-weight: bold; }"
	".foot { border-top: 1px solid @borders; }"
	".hint { font-size: 0.9em; }"
	".notice { font-weight: bold; }";

gboolean open_display(void) {
	if (!gtk_init_check(NULL, NULL) || !pin_memory())
		return FALSE;
	g_object_set(gtk_settings_get_default(), "gtk-entry-password-hint-timeout", 0, "gtk-enable-primary-paste", FALSE, "gtk-im-module",
		"gtk-im-context-simple", NULL);
	GtkCssProvider *style = gtk_css_provider_new();
	gtk_css_provider_load_from_data(style, css, -1, NULL);
	gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(style), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
	g_object_unref(style);
	return TRUE;
}

static gboolean open_now(gpointer unused) {
	openDialog();
	return G_SOURCE_REMOVE;
}

void ask_soon(void) { g_idle_add(open_now, NULL); }

static gboolean withdraw_now(gpointer unused) {
	dialog_withdraw();
	return G_SOURCE_REMOVE;
}

void withdraw_soon(void) { g_idle_add(withdraw_now, NULL); }

static void style(GtkWidget *widget, const char *class) { gtk_style_context_add_class(gtk_widget_get_style_context(widget), class); }

static GtkWidget *box(int spacing, int margin) {
	GtkWidget *b = gtk_box_new(GTK_ORIENTATION_VERTICAL, spacing);
	g_object_set(b, "margin-start", margin, "margin-end", margin, "margin-top", margin * 3 / 4, "margin-bottom", margin * 3 / 4, NULL);
	return b;
}

PangoAttrList *no_hyphens(void) {
	PangoAttrList *marks = pango_attr_list_new();
	pango_attr_list_insert(marks, pango_attr_insert_hyphens_new(FALSE));
	return marks;
}

/* A label never reads markup and never cuts: it goes on in the next line. */
static GtkWidget *label(const char *text, PangoWrapMode wrap) {
	GtkWidget *l = gtk_label_new(text);
	PangoAttrList *marks = no_hyphens();
	g_object_set(l, "wrap", TRUE, "wrap-mode", wrap, "xalign", 0.0, "max-width-chars", COLUMNS, "attributes", marks, NULL);
	pango_attr_list_unref(marks);
	return l;
}

static void add(GtkWidget *to, GtkWidget *widget) { gtk_box_pack_start(GTK_BOX(to), widget, FALSE, FALSE, 0); }

static void add_text(GtkWidget *to, const char *text, const char *class) {
	if (*text == 0)
		return;
	GtkWidget *l = label(text, PANGO_WRAP_WORD_CHAR);
	if (class != NULL)
		style(l, class);
	add(to, l);
}

void dialog_new(const char *title) {
	memset(&d, 0, sizeof d);
	d.window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
	g_object_set(d.window, "title", title, "type-hint", GDK_WINDOW_TYPE_HINT_DIALOG, "window-position", GTK_WIN_POS_CENTER, "icon-name", "pero", NULL);
	gtk_window_set_keep_above(GTK_WINDOW(d.window), TRUE);
	atk_object_set_role(gtk_widget_get_accessible(d.window), ATK_ROLE_DIALOG);
	PangoContext *pango = gtk_widget_get_pango_context(d.window);
	PangoFontMetrics *font = pango_context_get_metrics(pango, NULL, NULL);
	d.character = pango_font_metrics_get_approximate_char_width(font) / PANGO_SCALE;
	d.line = (pango_font_metrics_get_ascent(font) + pango_font_metrics_get_descent(font)) / PANGO_SCALE;
	pango_font_metrics_unref(font);
	d.head = box(6, 20);
	d.body = gtk_scrolled_window_new(NULL, NULL);
	g_object_set(d.body, "hscrollbar-policy", GTK_POLICY_NEVER, "overlay-scrolling", FALSE, NULL);
	d.details = box(12, 20);
	g_object_set(d.details, "margin-top", 0, NULL);
	gtk_container_add(GTK_CONTAINER(d.body), d.details);
	d.foot = box(10, 20);
	GtkWidget *frame = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0), *all = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	style(frame, "foot");
	add(frame, d.foot);
	add(all, d.head);
	gtk_box_pack_start(GTK_BOX(all), d.body, TRUE, TRUE, 0);
	add(all, frame);
	gtk_container_add(GTK_CONTAINER(d.window), all);
}

void dialog_head(const char *who, const char *before, const char *owned, const char *after, const char *act) {
	add_text(d.head, who, "who");
	if (*owned != 0) {
		char *origin = g_strconcat(before, owned, after, NULL);
		GtkWidget *l = label(origin, PANGO_WRAP_CHAR);
		PangoAttrList *marks = no_hyphens();
		PangoAttribute *bold = pango_attr_weight_new(PANGO_WEIGHT_BOLD), *line = pango_attr_underline_new(PANGO_UNDERLINE_SINGLE);
		bold->start_index = line->start_index = strlen(before);
		bold->end_index = line->end_index = strlen(before) + strlen(owned);
		pango_attr_list_insert(marks, bold);
		pango_attr_list_insert(marks, line);
		gtk_label_set_attributes(GTK_LABEL(l), marks);
		pango_attr_list_unref(marks);
		style(l, "site");
		add(d.head, l);
		g_free(origin);
	}
	add_text(d.head, act, "act");
	atk_object_set_description(gtk_widget_get_accessible(d.window), act);
}

void dialog_claim(const char *text) { add_text(d.head, text, NULL); }

void dialog_list(const char *title) {
	GtkWidget *group = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	add_text(group, title, NULL);
	d.list = list_new();
	gtk_box_pack_start(GTK_BOX(group), d.list, TRUE, TRUE, 0);
	gtk_box_pack_start(GTK_BOX(d.details), group, TRUE, TRUE, 0);
}

void dialog_line(const char *name, const char *text) {
	if (d.lines == NULL) {
		d.lines = gtk_grid_new();
		g_object_set(d.lines, "column-spacing", 14, "row-spacing", 4, NULL);
		add(d.details, d.lines);
	}
	if (*name != 0) {
		GtkWidget *left = gtk_label_new(name);
		g_object_set(left, "xalign", 0.0, "yalign", 0.0, NULL);
		style(left, "name");
		gtk_grid_attach(GTK_GRID(d.lines), left, 0, d.named, 1, 1);
	}
	gtk_grid_attach(GTK_GRID(d.lines), label(text, PANGO_WRAP_WORD_CHAR), 1, d.named++, 1, 1);
}

void dialog_note(const char *text) { add_text(d.details, text, NULL); }

void dialog_trouble(const char *text) {
	if (*text == 0)
		return;
	GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 10);
	style(row, "trouble");
	add(row, gtk_image_new_from_icon_name("dialog-warning-symbolic", GTK_ICON_SIZE_LARGE_TOOLBAR));
	add(row, label(text, PANGO_WRAP_WORD_CHAR));
	add(d.foot, row);
}

static void finished(GtkWidget *widget, gpointer unused) {
	if (!guard_ready())
		return;
	if (d.pin[1] != NULL && !pin_same()) {
		d.differed = TRUE;
		gtk_entry_set_text(GTK_ENTRY(d.pin[0]), "");
		gtk_entry_set_text(GTK_ENTRY(d.pin[1]), "");
		gtk_widget_grab_focus(d.pin[0]);
		dialog_refresh();
		return;
	}
	if (d.pin[0] == NULL || gtk_entry_get_text_length(GTK_ENTRY(d.pin[0])) > 0)
		dialog_end(AGREED);
}

static void entered(GtkWidget *entry, gpointer unused) {
	if (entry == d.pin[0] && d.pin[1] != NULL)
		gtk_widget_grab_focus(d.pin[1]);
	else
		finished(entry, NULL);
}

static void typed(GtkEditable *entry, gpointer unused) {
	if (guard_typing())
		d.differed = FALSE;
}

static gboolean only_left_click(GtkWidget *entry, GdkEventButton *e, gpointer unused) { return e->button != GDK_BUTTON_PRIMARY; }

static gboolean no_menu(GtkWidget *entry, gpointer unused) { return TRUE; }

void dialog_pin(const char *prompt, const char *repeat, const char *unequal) {
	const char *prompts[] = {prompt, repeat};
	GtkWidget *grid = gtk_grid_new();
	g_object_set(grid, "column-spacing", 14, "row-spacing", 8, NULL);
	for (int i = 0; i < (*repeat == 0 ? 1 : 2); i++) {
		GtkEntryBuffer *buffer = pin_buffer(i);
		GtkWidget *entry = d.pin[i] = gtk_entry_new_with_buffer(buffer), *left = gtk_label_new(prompts[i]);
		g_object_unref(buffer);
		g_object_set(entry, "visibility", FALSE, "input-purpose", GTK_INPUT_PURPOSE_PASSWORD, "im-module", "gtk-im-context-simple", "hexpand", TRUE, NULL);
		gtk_drag_dest_unset(entry);
		g_signal_connect(entry, "activate", G_CALLBACK(entered), NULL);
		g_signal_connect(entry, "changed", G_CALLBACK(typed), NULL);
		g_signal_connect(entry, "button-press-event", G_CALLBACK(only_left_click), NULL);
		g_signal_connect(entry, "popup-menu", G_CALLBACK(no_menu), NULL);
		g_object_set(left, "xalign", 0.0, NULL);
		gtk_label_set_mnemonic_widget(GTK_LABEL(left), entry);
		atk_object_set_name(gtk_widget_get_accessible(entry), prompts[i]);
		gtk_grid_attach(GTK_GRID(grid), left, 0, i, 1, 1);
		gtk_grid_attach(GTK_GRID(grid), entry, 1, i, 1, 1);
	}
	add(d.foot, grid);
	d.unequal = g_strdup(unequal);
}

void dialog_phrase(const char *text) {
	add_text(d.foot, text, NULL);
}

void dialog_hints(const char *wait, const char *caps_lock, const char *layout) {
	d.wait = g_strdup(wait);
	d.caps_lock = g_strdup(caps_lock);
	d.layout = g_strdup(layout);
}

/* A screen reader speaks a notification when it comes up. */
void dialog_withdrawal(const char *notice, const char *close) {
	d.notice = label(notice, PANGO_WRAP_WORD_CHAR);
	style(d.notice, "notice");
	atk_object_set_role(gtk_widget_get_accessible(d.notice), ATK_ROLE_NOTIFICATION);
	d.close = g_strdup(close);
}

static void keyboard_changed(GdkKeymap *keymap, gpointer unused) { dialog_refresh(); }

void dialog_refresh(void) {
	if (d.window == NULL)
		return;
	gboolean ready = guard_ready() && !d.withdrawn;
	gboolean complete = d.pin[0] == NULL || gtk_entry_get_text_length(GTK_ENTRY(d.pin[0])) > 0;
	gboolean fresh = ready && !gtk_widget_get_sensitive(d.cancel);
	for (int i = 0; i < 2; i++)
		if (d.pin[i] != NULL)
			gtk_widget_set_sensitive(d.pin[i], ready);
	gtk_widget_set_sensitive(d.ok, ready && complete);
	gtk_widget_set_sensitive(d.cancel, guard_ready());
	if (d.list != NULL)
		list_focusable(ready);
	if (d.block != NULL)
		gtk_widget_set_sensitive(d.block, ready);
	if (fresh)
		gtk_window_set_focus(GTK_WINDOW(d.window), d.pin[0]); /* for a yes nothing has it: no key says yes by itself */

	char *layout = ready && d.pin[0] != NULL && d.layout != NULL && *d.layout != 0 ? keyboard_layout() : NULL, *said = NULL;
	if (!ready)
		said = g_strdup(d.wait);
	else if (d.differed)
		said = g_strconcat("⚠ ", d.unequal, NULL);
	else if (d.pin[0] != NULL && gdk_keymap_get_caps_lock_state(gdk_keymap_get_for_display(gdk_display_get_default())))
		said = g_strconcat("⚠ ", d.caps_lock, NULL);
	else if (layout != NULL)
		said = g_strconcat(d.layout, " ", layout, NULL);
	if (g_strcmp0(gtk_label_get_text(GTK_LABEL(d.hint)), said != NULL ? said : "") != 0)
		gtk_label_set_text(GTK_LABEL(d.hint), said != NULL ? said : "");
	g_free(said);
	g_free(layout);
}

static gboolean calm(gpointer unused) {
	d.calm = 0;
	dialog_end(TIMED_OUT);
	return G_SOURCE_REMOVE;
}

/* A PIN with a hole in it would cost a try: what was typed before goes too. */
void dialog_restarted(void) {
	if (d.ok == NULL)
		return;
	for (int i = 0; i < 2; i++)
		if (d.pin[i] != NULL && gtk_entry_get_text_length(GTK_ENTRY(d.pin[i])) > 0)
			gtk_entry_set_text(GTK_ENTRY(d.pin[i]), "");
	if (d.calm != 0)
		g_source_remove(d.calm);
	d.calm = d.withdrawn ? g_timeout_add_seconds(CALM, calm, NULL) : 0;
	dialog_refresh();
}

static void fade(GtkWidget *part, gpointer unused) {
	gtk_widget_set_sensitive(part, part == d.notice || gtk_widget_is_ancestor(d.cancel, part));
}

/* The person may be in the middle of a PIN, and the rest of it would go to whatever is behind this window. */
void dialog_withdraw(void) {
	if (d.window == NULL || d.withdrawn)
		return;
	d.withdrawn = TRUE;
	guard_deafen();
	pin_wipe();
	gtk_widget_set_sensitive(d.head, FALSE);
	gtk_widget_set_sensitive(d.body, FALSE);
	gtk_container_foreach(GTK_CONTAINER(d.foot), fade, NULL);
	if (*d.close != 0)
		gtk_button_set_label(GTK_BUTTON(d.cancel), d.close);
	gtk_widget_hide(d.hint);
	gtk_widget_show(d.notice);
}

static void refused(GtkWidget *button, gpointer result) { dialog_end(GPOINTER_TO_INT(result)); }

static GtkWidget *button(GtkWidget *row, const char *text, GCallback pressed, int result, gboolean first) {
	GtkWidget *b = gtk_button_new_with_label(text);
	g_signal_connect(b, "clicked", pressed, GINT_TO_POINTER(result));
	gtk_container_add(GTK_CONTAINER(row), b);
	gtk_button_box_set_child_secondary(GTK_BUTTON_BOX(row), b, first);
	gtk_button_box_set_child_non_homogeneous(GTK_BUTTON_BOX(row), b, TRUE);
	return b;
}

void dialog_show(const char *ok, const char *cancel, const char *block) {
	d.hint = gtk_label_new("");
	g_object_set(d.hint, "xalign", 0.0, "ellipsize", PANGO_ELLIPSIZE_END, NULL);
	style(d.hint, "hint");
	add(d.foot, d.hint);
	gtk_widget_set_no_show_all(d.notice, TRUE);
	add(d.foot, d.notice);
	GtkWidget *row = gtk_button_box_new(GTK_ORIENTATION_HORIZONTAL);
	g_object_set(row, "layout-style", GTK_BUTTONBOX_END, "spacing", 10, NULL);
	if (*block != 0)
		d.block = button(row, block, G_CALLBACK(refused), BLOCKED, TRUE);
	d.cancel = button(row, cancel, G_CALLBACK(refused), CANCELLED, FALSE);
	d.ok = button(row, ok, G_CALLBACK(finished), 0, FALSE);
	add(d.foot, row);

	GdkMonitor *monitor = gdk_display_get_primary_monitor(gdk_display_get_default());
	if (monitor == NULL)
		monitor = gdk_display_get_monitor(gdk_display_get_default(), 0);
	GdkRectangle screen = {0, 0, 1024, 768};
	if (monitor != NULL)
		gdk_monitor_get_workarea(monitor, &screen);
	int width = MIN(COLUMNS * d.character + 60, screen.width - 40), head, foot, body;
	int listed = d.list != NULL ? list_fill(width - 80, ROWS * d.line) : 0;
	gtk_widget_show_all(gtk_bin_get_child(GTK_BIN(d.window)));
	gtk_widget_get_preferred_height_for_width(d.head, width - 40, NULL, &head);
	gtk_widget_get_preferred_height_for_width(d.foot, width - 40, NULL, &foot);
	gtk_widget_get_preferred_height_for_width(d.details, width - 40, NULL, &body);
	int room = MAX(5 * d.line, screen.height - head - foot - 100);
	if (d.list != NULL && body > room) { /* rather a shorter list than one within a page that scrolls too */
		int less = MIN(body - room, MAX(0, listed - 5 * d.line));
		list_height(listed - less);
		body -= less;
	}
	g_object_set(d.body, "min-content-height", MIN(body, room), NULL);
	GList *parts = gtk_container_get_children(GTK_CONTAINER(d.details));
	gtk_widget_set_visible(d.body, parts != NULL);
	g_list_free(parts);
	gtk_widget_set_size_request(gtk_bin_get_child(GTK_BIN(d.window)), width, -1);
	gtk_window_set_default_size(GTK_WINDOW(d.window), width, 1); /* as high as it has to be */

	guard_watch(d.window);
	g_signal_connect(gdk_keymap_get_for_display(gdk_display_get_default()), "state-changed", G_CALLBACK(keyboard_changed), NULL);
	dialog_refresh();
	gtk_widget_show(d.window);
}

void dialog_end(int result) {
	GtkWidget *window = d.window;
	if (window == NULL)
		return;
	if (d.withdrawn)
		result = TIMED_OUT;
	if (result == AGREED && d.pin[0] != NULL)
		pin_send();
	g_signal_handlers_disconnect_by_func(gdk_keymap_get_for_display(gdk_display_get_default()), keyboard_changed, NULL);
	if (d.calm != 0)
		g_source_remove(d.calm);
	guard_forget();
	g_free(d.unequal);
	g_free(d.wait);
	g_free(d.caps_lock);
	g_free(d.layout);
	g_free(d.close);
	memset(&d, 0, sizeof d);
	gtk_widget_hide(window);
	gtk_widget_destroy(window);
	pin_wipe(); /* after the entries: their buffers are in it */
	dialogEnded(result);
}
