"""Reverie's application: what the artist runs. Nothing in here imports torch, onnx or models."""
