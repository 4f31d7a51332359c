"""The PyTorch originals of Reverie's models: networks, training, export. Runs in the training process only."""
