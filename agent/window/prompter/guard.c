#include "dialog.h"

/* A window that comes up while somebody types for another one must not take a word of it. It takes nothing until it has been seen, in
   front, for QUIET without a keystroke or a click; Enter needs longer. Either before that is dropped and starts the wait anew, as does
   everything by which the person may not have seen the window: another one in front, another one above, another place. */
enum { QUIET = 700, ENTER = 1000 }; /* milliseconds */

static GtkWidget *watched;
static gboolean painted, hidden, ready, typing, deaf;
static gint64 since; /* when the wait began, in microseconds */
static guint timer;
static GdkRectangle place;

gboolean guard_ready(void) { return ready; }

gboolean guard_typing(void) { return typing; }

static gboolean quiet(gpointer unused) {
	timer = 0;
	ready = TRUE;
	dialog_refresh();
	return G_SOURCE_REMOVE;
}

static void restart(void) {
	if (timer != 0)
		g_source_remove(timer);
	timer = 0;
	ready = FALSE;
	since = g_get_monotonic_time();
	dialog_restarted();
	if (painted && !hidden && gtk_window_is_active(GTK_WINDOW(watched)))
		timer = g_timeout_add_full(G_PRIORITY_HIGH_IDLE, QUIET, quiet, NULL, NULL); /* after keystrokes that wait already */
}

void guard_deafen(void) {
	deaf = TRUE;
	restart();
}

static gboolean on_key(GtkWidget *window, GdkEventKey *e, gpointer unused) {
	gboolean press = e->type == GDK_KEY_PRESS;
	if (!ready || (deaf && e->keyval != GDK_KEY_Escape)) {
		if (press)
			restart();
		return TRUE;
	}
	gboolean enter = e->keyval == GDK_KEY_Return || e->keyval == GDK_KEY_KP_Enter || e->keyval == GDK_KEY_ISO_Enter;
	if (enter && g_get_monotonic_time() - since < ENTER * 1000)
		return TRUE;
	if (press && e->keyval == GDK_KEY_Escape) {
		dialog_end(CANCELLED);
		return TRUE;
	}
	GtkWidgetClass *class = GTK_WIDGET_GET_CLASS(window);
	g_object_ref(window); /* a key may end it */
	typing = TRUE;
	(press ? class->key_press_event : class->key_release_event)(window, e);
	typing = FALSE;
	if (window == watched)
		dialog_refresh();
	g_object_unref(window);
	return TRUE;
}

/* A click that was meant for what was there before does not close the window. */
static gboolean on_close(GtkWidget *window, GdkEvent *e, gpointer unused) {
	if (ready || (painted && g_get_monotonic_time() - since > QUIET * 1000))
		dialog_end(CANCELLED);
	return TRUE;
}

static void on_active(GtkWindow *window, GParamSpec *spec, gpointer unused) {
	gtk_window_set_urgency_hint(window, !gtk_window_is_active(window));
	restart();
}

static gboolean on_visibility(GtkWidget *window, GdkEventVisibility *e, gpointer unused) {
	hidden = e->state == GDK_VISIBILITY_FULLY_OBSCURED;
	restart();
	return FALSE;
}

static gboolean on_configure(GtkWidget *window, GdkEventConfigure *e, gpointer unused) {
	GdkRectangle now = {e->x, e->y, e->width, e->height};
	if (!gdk_rectangle_equal(&now, &place)) {
		place = now;
		restart();
	}
	return FALSE;
}

static gboolean on_painted(GtkWidget *window, cairo_t *cr, gpointer unused) {
	if (!painted) {
		painted = TRUE;
		restart();
	}
	return FALSE;
}

/* Events come here before GTK. A press in the window while it waits is one at what was there before, by a mouse or a finger. A key is
   given to the window itself: GTK would first tell it to the bridge of screen readers (gtk_key_snooper_install), and that to every
   program which asked on the accessibility bus. */
static void on_event(GdkEvent *e, gpointer unused) {
	GdkWindow *ours = watched != NULL ? gtk_widget_get_window(watched) : NULL;
	gboolean key = e->type == GDK_KEY_PRESS || e->type == GDK_KEY_RELEASE, press = e->type == GDK_BUTTON_PRESS || e->type == GDK_TOUCH_BEGIN;
	if (press && !ready && ours != NULL && gdk_window_get_toplevel(e->any.window) == ours)
		restart();
	if (key && ours != NULL && e->any.window == ours)
		gtk_widget_event(watched, e);
	else
		gtk_main_do_event(e);
}

void guard_watch(GtkWidget *window) {
	gdk_event_handler_set(on_event, NULL, NULL);
	watched = window;
	painted = hidden = ready = deaf = FALSE;
	gtk_widget_add_events(window, GDK_VISIBILITY_NOTIFY_MASK | GDK_STRUCTURE_MASK);
	g_signal_connect(window, "key-press-event", G_CALLBACK(on_key), NULL);
	g_signal_connect(window, "key-release-event", G_CALLBACK(on_key), NULL);
	g_signal_connect(window, "delete-event", G_CALLBACK(on_close), NULL);
	g_signal_connect(window, "notify::is-active", G_CALLBACK(on_active), NULL);
	g_signal_connect(window, "visibility-notify-event", G_CALLBACK(on_visibility), NULL);
	g_signal_connect(window, "configure-event", G_CALLBACK(on_configure), NULL);
	g_signal_connect_after(window, "draw", G_CALLBACK(on_painted), NULL);
}

void guard_forget(void) {
	if (timer != 0)
		g_source_remove(timer);
	timer = 0;
	ready = FALSE;
	watched = NULL;
}
