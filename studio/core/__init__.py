"""The vocabulary of Reverie: frozen requests, events, packages, parameters, errors and the training protocol.

Standard library, numpy and msgspec only: no Qt, no onnxruntime.
"""
