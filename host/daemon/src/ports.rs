//! The borders inside the daemon: what services need from the world, in domain types only. That to the journal is
//! [`mainstay_store::port`], that to where backups are stored [`mainstay_backup::port`].
//!
//! Adapters implement these traits, services call them, `app` joins the two. A future that these traits return may
//! be dropped only where its docs say so; a dropped effect is an effect in doubt.

mod alert_tests;
mod backup_views;
mod between;
mod coordination;
mod logs;
mod notes;
mod operator;
mod pid_files;
mod process;
mod reports;
mod secrets;
mod views;
mod world;

pub use {
    alert_tests::*, backup_views::*, between::*, coordination::*, logs::*, notes::*, operator::*,
    pid_files::*, process::*, reports::*, secrets::*, views::*, world::*,
};

pub use {mainstay_backup::port::*, mainstay_store::port::*};

#[cfg(any(test, feature = "testing"))]
#[allow(clippy::unwrap_used, reason = "a test fails by it")]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "the daemon's own tests look at all of it")
)]
pub(crate) mod fakes;
