//! Managed targets: status, start, stop, restart, signal and check.

use super::{EffectError, Evidence, Signal, TargetStatus};

/// Managed targets. Granted by verb: `target = ["restart", …]`; other targets than the operation's own by name.
///
/// Every function fails with `Denied` where the verb is not granted, and with `Failed` where no such target is
/// configured.
pub trait Targets {
    /// One target, by its configured name.
    fn target<'host>(&'host mut self, name: &str) -> Target<'host, Self>
    where
        Self: Sized,
    {
        Target {
            host: self,
            name: name.to_owned(),
        }
    }

    /// See [`Target::status`].
    #[doc(hidden)]
    fn target_status(&mut self, target: &str) -> Result<TargetStatus, EffectError>;

    /// See [`Target::start`].
    #[doc(hidden)]
    fn target_start(&mut self, target: &str) -> Result<(), EffectError>;

    /// See [`Target::stop`].
    #[doc(hidden)]
    fn target_stop(&mut self, target: &str) -> Result<(), EffectError>;

    /// See [`Target::restart`].
    #[doc(hidden)]
    fn target_restart(&mut self, target: &str) -> Result<(), EffectError>;

    /// See [`Target::signal`].
    #[doc(hidden)]
    fn target_signal(&mut self, target: &str, signal: Signal) -> Result<(), EffectError>;

    /// See [`Target::check`].
    #[doc(hidden)]
    fn target_check(&mut self, target: &str) -> Result<Vec<Evidence>, EffectError>;
}

/// One managed target, as [`Targets::target`] gives it.
pub struct Target<'host, H> {
    host: &'host mut H,
    name: String,
}

impl<H: Targets> Target<'_, H> {
    /// The target as the host sees it now; runs no check.
    ///
    /// # Errors
    /// As for every function of [`Targets`].
    pub fn status(&mut self) -> Result<TargetStatus, EffectError> {
        self.host.target_status(&self.name)
    }

    /// Starts it; does nothing where it runs. Returns when the process is started, not when it serves.
    ///
    /// # Errors
    /// As for every function of [`Targets`], or it could not be started.
    pub fn start(&mut self) -> Result<(), EffectError> {
        self.host.target_start(&self.name)
    }

    /// Stops it and waits for its end; does nothing where it is stopped.
    ///
    /// # Errors
    /// As for every function of [`Targets`], or it could not be stopped.
    pub fn stop(&mut self) -> Result<(), EffectError> {
        self.host.target_stop(&self.name)
    }

    /// Stops it if it runs, and starts it. Returns when the process is started, not when it serves.
    ///
    /// # Errors
    /// As for every function of [`Targets`], or it could not be stopped or started.
    pub fn restart(&mut self) -> Result<(), EffectError> {
        self.host.target_restart(&self.name)
    }

    /// Sends a signal to its process.
    ///
    /// # Errors
    /// As for every function of [`Targets`]; `Failed` where it has no process.
    pub fn signal(&mut self, signal: Signal) -> Result<(), EffectError> {
        self.host.target_signal(&self.name, signal)
    }

    /// Runs all its checks now and waits for them. Gives the evidence of those that did not pass: empty means that
    /// every check passes.
    ///
    /// # Errors
    /// As for every function of [`Targets`], or the checks did not end in time.
    pub fn check(&mut self) -> Result<Vec<Evidence>, EffectError> {
        self.host.target_check(&self.name)
    }
}
