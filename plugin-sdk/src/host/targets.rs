//! Managed targets: status, start, stop, restart, signal and check.

use super::{Clock, EffectError, Evidence, Signal, TargetStatus};
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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

impl<H: Targets + Clock> Target<'_, H> {
    /// Runs its checks until those that count pass or `limit` is over: at once, and then after pauses that grow from 50 ms
    /// to 1 s. Gives the evidence of those that still do not pass: empty means that every one that counts passes. Where
    /// nobody can look for now, as while its process is only being started, it looks again too.
    ///
    /// A dry run waits for nothing, so do not watch in one.
    ///
    /// # Errors
    /// As for [`Target::check`]; what may work later only where it is still so when `limit` is over.
    pub fn watch(
        &mut self,
        limit: Duration,
        counts: impl Fn(&Evidence) -> bool,
    ) -> Result<Vec<Evidence>, EffectError> {
        let start = self.host.now();
        let mut looks = 0_u32;
        loop {
            let seen = self.check().map(|mut failing| {
                failing.retain(&counts);
                failing
            });
            let is_over = match &seen {
                Ok(failing) => failing.is_empty(),
                Err(error) => !error.is_temporary(),
            };
            if is_over {
                return seen;
            }
            looks = looks.saturating_add(1);
            let elapsed = Duration::from_millis(self.host.now().saturating_sub(start));
            match pause_after(looks, limit.saturating_sub(elapsed)) {
                Some(pause) => self.host.sleep(pause),
                None => return seen,
            }
        }
    }
}

/// The pause after the look number `looks`, from 1; none where no time is left.
fn pause_after(looks: u32, left: Duration) -> Option<Duration> {
    let doublings = looks.saturating_sub(1).min(10);
    let pause = FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    (!left.is_zero()).then(|| pause.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Effect, ScriptedHost, evidence};

    #[test]
    fn pauses_grow_to_a_second_and_end_at_the_limit() {
        let millis = Duration::from_millis;
        for (looks, left, pause) in [
            (1, 20_000, Some(50)),
            (2, 19_950, Some(100)),
            (6, 17_000, Some(1_000)),
            (u32::MAX, 17_000, Some(1_000)),
            (6, 300, Some(300)),
            (7, 0, None),
            (1, 0, None),
        ] {
            let expected = pause.map(millis);
            assert_eq!(
                pause_after(looks, millis(left)),
                expected,
                "{looks}, {left}"
            );
        }
    }

    #[test]
    fn it_is_watched_until_what_counts_passes_or_the_time_is_over() {
        let failing = |check: &str| Ok(vec![evidence(check, "no")]);
        let mut host = ScriptedHost::new();
        host.on_check("api", failing("http"))
            .on_check("api", failing("disk"));
        let of_http = |seen: &Evidence| seen.check == "http";
        let limit = Duration::from_secs(9);
        let seen = host.target("api").watch(limit, of_http).unwrap();
        assert!(seen.is_empty(), "{seen:?}");
        let look = Effect::Check("api".into());
        let pause = Effect::Sleep(FIRST_PAUSE);
        assert_eq!(host.effects(), [look.clone(), pause, look]);
        for _ in 0..3 {
            host.on_check("api", failing("http"));
        }
        let limit = Duration::from_millis(150);
        let seen = host.target("api").watch(limit, of_http).unwrap();
        assert_eq!(seen, [evidence("http", "no")]);
    }

    #[test]
    fn where_nobody_can_look_for_now_it_looks_again_until_the_time_is_over() {
        let unseen = || EffectError::Unavailable("its process is only being started".into());
        let mut host = ScriptedHost::new();
        host.on_check("api", Err(unseen()));
        let limit = Duration::from_millis(50);
        assert_eq!(host.target("api").watch(limit, |_| true), Ok(Vec::new()));
        for _ in 0..2 {
            host.on_check("api", Err(unseen()));
        }
        assert_eq!(host.target("api").watch(limit, |_| true), Err(unseen()));
        let denied = EffectError::Denied("target = [\"check\"]".into());
        host.on_check("api", Err(denied.clone()));
        assert_eq!(host.target("api").watch(limit, |_| true), Err(denied));
    }
}
