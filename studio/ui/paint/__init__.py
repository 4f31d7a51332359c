"""The Paint pane: pictures."""
