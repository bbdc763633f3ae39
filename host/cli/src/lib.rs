//! The program of Mainstay: the command line, the demo, the plugins that come with it, and the toolchain that builds plugins.
//!
//! Invariant: what the daemon knows is asked of its admin API. Its library is used to run it ([`mainstay_daemon::app`]), to
//! read the config ([`mainstay_daemon::config`]), and for the name of its socket.
//! Invariant: `cli` alone joins the others; `demo` and `toolchain` do not know the daemon's library.

pub mod carried;
pub mod cli;
pub mod console;
pub mod demo;
pub mod toolchain;
