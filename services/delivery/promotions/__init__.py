"""What is promoted in MLflow, and what became of it in GoCD."""
