//! What only a durable recovery handler can ask for.

use super::{EffectError, Timestamp};

/// Random numbers that are part of the record: the same in a replay. Always granted.
pub trait Random {
    /// So many random bytes; at most 65,536 at once, and more ends the call.
    fn random_bytes(&mut self, length: u32) -> Vec<u8>;

    /// A random number.
    fn random_number(&mut self) -> u64;
}

/// What a durable call needs beside the clock. Always granted.
pub trait Durable {
    /// Waits until then, or not at all where it is past. After a restart of the host only what is left of it is waited
    /// for.
    fn sleep_until(&mut self, moment: Timestamp);

    /// An idempotency key that is the same for the same name in every attempt of the operation.
    fn durable_key(&mut self, name: &str) -> String;

    /// Whether what is done now is answered from the record. For logs only: a handler that acts by it diverges.
    fn is_replaying(&mut self) -> bool;

    /// Waits for `mainstay operation signal ID NAME`, and gives the text that came with it.
    ///
    /// # Errors
    /// None came until then (`TimedOut`), the name is not in kebab-case (`Failed`), or nobody can send one
    /// (`Unavailable`).
    fn await_signal(&mut self, name: &str, until: Timestamp) -> Result<String, EffectError>;
}
