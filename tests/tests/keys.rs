//! Every key of the config is seen to act, over the whole program: a real daemon, a real target, real plugins.
//!
//! One module for each table of the config. A test names the keys that it sees act on a line `/// Acts: ` of its docs,
//! and [`coverage`] holds these lines, of all tests of this crate, against `examples/mainstay.toml`.

mod alert;
mod breaker;
mod check;
mod command;
mod coverage;
mod escalation;
mod host;
mod job;
mod maintenance;
mod plugin;
mod policy;
mod route;
mod secrets;
mod target;
