#include "dialog.h"

static struct {
	GtkListStore *items;
	GtkWidget *scroller, *view;
	gboolean digests;
} l;

GtkWidget *list_new(void) {
	l.items = gtk_list_store_new(2, G_TYPE_STRING, G_TYPE_STRING);
	l.digests = FALSE;
	l.view = NULL;
	l.scroller = gtk_scrolled_window_new(NULL, NULL);
	g_object_set(l.scroller, "shadow-type", GTK_SHADOW_IN, "overlay-scrolling", FALSE, "can-focus", FALSE, NULL);
	return l.scroller;
}

void list_item(const char *text, const char *digest) {
	gtk_list_store_insert_with_values(l.items, NULL, -1, 0, text, 1, digest, -1);
	l.digests |= *digest != 0;
}

/* A row is as high as its text: nothing of a name or a digest is cut. */
int list_fill(int width, int height) {
	GtkWidget *view = l.view = gtk_tree_view_new_with_model(GTK_TREE_MODEL(l.items));
	g_object_unref(l.items);
	g_object_set(view, "headers-visible", FALSE, "enable-search", FALSE, "can-focus", FALSE, NULL);
	gtk_tree_selection_set_mode(gtk_tree_view_get_selection(GTK_TREE_VIEW(view)), GTK_SELECTION_NONE);
	GtkCellArea *area = gtk_cell_area_box_new();
	gtk_orientable_set_orientation(GTK_ORIENTABLE(area), GTK_ORIENTATION_VERTICAL);
	GtkTreeViewColumn *column = gtk_tree_view_column_new_with_area(area);
	PangoAttrList *marks = no_hyphens();
	for (int i = 0; i < (l.digests ? 2 : 1); i++) {
		GtkCellRenderer *cell = gtk_cell_renderer_text_new();
		g_object_set(cell, "wrap-mode", PANGO_WRAP_WORD_CHAR, "wrap-width", width, "attributes", marks, "xpad", 8, "ypad", l.digests ? 2 : 4, NULL);
		if (i == 1)
			g_object_set(cell, "family", "monospace", "scale", 0.85, NULL);
		gtk_cell_area_box_pack_start(GTK_CELL_AREA_BOX(area), cell, FALSE, FALSE, FALSE);
		gtk_tree_view_column_add_attribute(column, cell, "text", i);
	}
	pango_attr_list_unref(marks);
	gtk_tree_view_append_column(GTK_TREE_VIEW(view), column);
	gtk_container_add(GTK_CONTAINER(l.scroller), view);

	/* The view itself finds its height row by row when it is shown: too late for a window that is not to change its size. */
	GtkTreeModel *model = GTK_TREE_MODEL(l.items);
	GtkCellAreaContext *context = gtk_cell_area_create_context(area);
	GtkTreeIter row;
	int all = 0, one;
	for (gboolean more = gtk_tree_model_get_iter_first(model, &row); more && all < height; more = gtk_tree_model_iter_next(model, &row)) {
		gtk_tree_view_column_cell_set_cell_data(column, model, &row, FALSE, FALSE);
		gtk_cell_area_get_preferred_height_for_width(area, context, view, width + 16, NULL, &one);
		all += one + 2;
	}
	g_object_unref(context);
	all = MIN(all, height);
	list_height(all);
	return all;
}

void list_height(int height) {
	g_object_set(l.scroller, "min-content-height", -1, "max-content-height", height, "min-content-height", height, NULL);
}

void list_focusable(gboolean yes) { gtk_widget_set_can_focus(l.view, yes); }
