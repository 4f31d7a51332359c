"""The training wizard: from dropped pictures to a model of one's own, on one page."""
