//! What the machine does.

pub(crate) mod world;
