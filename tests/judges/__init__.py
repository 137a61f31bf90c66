"""Programs that judges of other people's making look at: `cargo xtask judge`."""
