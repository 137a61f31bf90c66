"""What `cargo xtask judge` judges: `python -m tests.judged`."""
