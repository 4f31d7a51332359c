"""The library page: which models there are, and what is known of each."""
