//! The borders inside the daemon: what services need from the world, in domain types only.
//!
//! Adapters implement these traits, services call them, `app` joins the two. A future that these traits return may
//! be dropped only where its docs say so; a dropped effect is an effect in doubt.

mod backups;
mod between;
mod operator;
mod store;
mod world;

pub use {backups::*, between::*, operator::*, store::*, world::*};

use std::{future::Future, pin::Pin};

/// A boxed future, for traits that are used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[cfg(test)]
pub(crate) mod fakes;
