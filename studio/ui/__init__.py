"""Widgets: layout, painting, mouse and keys. They show what the view-models of `studio.state` say."""
