"""The gallery: a strip beside the pane, a page of everything, and a viewer."""
