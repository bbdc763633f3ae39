pub mod age_keys;
mod local;
mod patterns;
pub mod port;

pub use local::LocalBackups;
pub use patterns::{InvalidPattern, check_pattern};
pub use port::*;
