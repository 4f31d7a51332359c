"""What every family shares: the contract, the one training loop, checkpoints, data, metrics."""
