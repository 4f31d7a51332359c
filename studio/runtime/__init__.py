"""What runs a model: packages, sessions, pipelines, samplers, seeds, pixels and files. No Qt."""
