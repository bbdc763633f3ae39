//! What a detector says.
//!
//! Invariant: where a detector gives no answer, whatever the reason, the target was not seen: that is no failure of it.

use super::Seen;
use crate::ports::Detectors;
use mainstay_domain::{
    spec::{CheckSpec, TargetSpec},
    time::Timestamp,
};
use std::sync::Arc;

/// It bounds itself by the check's timeout.
pub(super) async fn look(
    detectors: Option<&dyn Detectors>,
    target: &TargetSpec,
    check: &Arc<CheckSpec>,
    now: Timestamp,
) -> Seen {
    let Some(detectors) = detectors else {
        return Seen::unknown("no plugin can be asked here");
    };
    let look = detectors.detect(target.name.clone(), Arc::clone(check), now);
    match look.await {
        Ok(seen) => Seen {
            value: seen.value,
            ..Seen::new(seen.outcome, seen.message)
        },
        Err(why) => Seen::unknown(why),
    }
}
