//! The gate in numbers, for who asks for them: also while nothing can be written.

use super::RecoveryEngine;
use mainstay_domain::{policy::GateNumbers, recovery::InputTime};
use tokio::sync::oneshot;

impl RecoveryEngine {
    pub(super) fn tell_gate(&self, answer: oneshot::Sender<GateNumbers>) {
        let clock = &self.ports.shared.clock;
        let at = InputTime {
            now: clock.now(),
            monotonic: clock.monotonic(),
        };
        // Who asked may have gone.
        let _ = answer.send(self.machine.gate_numbers(at));
    }
}
