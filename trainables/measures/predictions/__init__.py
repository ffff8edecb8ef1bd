"""What a model predicts, and how that depends on its inputs."""
