//! Whether this is still the process that something was made in.

/// The process that made it. After a `fork`, the child has our memory and none of our threads: what
/// waits for a thread there would wait for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birthplace(u32);

impl Birthplace {
    pub(crate) fn here() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn is_here(self) -> bool {
        std::process::id() == self.0
    }
}
