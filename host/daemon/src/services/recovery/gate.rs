//! The gate in numbers, for who asks for them: also while nothing can be written.

use super::RecoveryEngine;
use mainstay_domain::policy::GateNumbers;
use tokio::sync::oneshot;

impl RecoveryEngine {
    pub(super) fn tell_gate(&self, answer: oneshot::Sender<GateNumbers>) {
        // Who asked may have gone.
        let _ = answer.send(self.machine.gate_numbers(self.at()));
    }
}
