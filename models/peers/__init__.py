"""Reference loops of other projects around our weights, for side-by-side measurements only."""
