//! What services are asked in their own protocols, and what their answers mean.
//!
//! Invariant: no bytes of a server make it panic, read outside of them, or hold more than a bound.
//! Invariant: what is said of an answer shows the words of a server as an excerpt, and nothing of a password.

pub mod engine;
mod hmac;
mod md5;
pub mod postgres;
pub mod redis;
pub mod resp;
pub mod s3;
mod scram;
pub mod tls_request;

/// What an answer means for the check that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// The service works, and something is worth a warning.
    Warns(String),
    /// The service does not work.
    Fails(String),
    /// As [`Verdict::Fails`], for it is too old by the wall clock.
    Stale(String),
    /// The service says itself that it is not ready yet. That is no success, and no failure either: a restart would only
    /// make it begin again.
    NotReady(String),
    /// The service answers, and does not let the host look. Only the operator can put that right.
    Refuses(String),
}
