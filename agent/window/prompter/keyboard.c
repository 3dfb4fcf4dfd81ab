#include "dialog.h"
#include <X11/XKBlib.h>
#include <gdk/gdkx.h>

char *keyboard_layout(void) {
	GdkDisplay *display = gdk_display_get_default();
	if (!GDK_IS_X11_DISPLAY(display))
		return NULL; /* Wayland does not tell */
	Display *x = GDK_DISPLAY_XDISPLAY(display);
	XkbDescPtr keyboard = XkbAllocKeyboard();
	XkbStateRec state;
	char *name = NULL;
	if (keyboard == NULL)
		return NULL;
	if (XkbGetState(x, XkbUseCoreKbd, &state) == Success && XkbGetNames(x, XkbGroupNamesMask, keyboard) == Success) {
		Atom *groups = keyboard->names->groups;
		if (groups[1] != None && groups[state.group % XkbNumKbdGroups] != None) {
			char *atom = XGetAtomName(x, groups[state.group % XkbNumKbdGroups]);
			name = g_strdup(atom);
			XFree(atom);
		}
	}
	XkbFreeKeyboard(keyboard, XkbAllComponentsMask, True);
	return name;
}
