//! Sees before each input whether the charter is what the config is pinned to.

use super::RecoveryEngine;
use mainstay_domain::{policy::CharterBreach, recovery::Input};
use std::{path::Path, sync::Arc, time::Duration};

/// Gives the SHA-256 of a file, hexadecimal, or why it cannot be read; from memory where the file was not changed.
pub type CharterDigest = Arc<dyn Fn(&Path) -> Result<String, String> + Send + Sync>;

/// Where nothing happens, the charter is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl RecoveryEngine {
    /// Tells the machine where the charter is another one than before.
    pub(super) fn see_charter(&mut self) {
        let spec = Arc::clone(&self.spec.borrow());
        let charter = spec.policy.charter.as_ref();
        let breach = charter.and_then(|charter| {
            let found = (self.ports.charter)(&charter.file);
            CharterBreach::of(&charter.sha256, found)
        });
        if breach.as_ref() != self.machine.charter_breach() {
            self.turn(Input::Charter(breach));
        }
    }

    /// At most so long nothing is looked at.
    pub(super) fn rest_of_charter(&self) -> Option<Duration> {
        let spec = self.spec.borrow();
        spec.policy.charter.is_some().then_some(LOOK_EVERY)
    }
}
