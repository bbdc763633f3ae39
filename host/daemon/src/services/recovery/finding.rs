//! What the monitor found, as the machine takes it.

use crate::ports::Finding;
use mainstay_domain::recovery::{CaseKey, Input};

pub(super) fn input_of(finding: Finding) -> Input {
    match finding {
        Finding::Raised {
            target,
            failure,
            severity,
            evidence,
            detected_at,
        } => Input::Raised {
            key: CaseKey { target, failure },
            severity,
            evidence,
            detected_at,
        },
        Finding::Cleared {
            target, failure, ..
        } => Input::Cleared(CaseKey { target, failure }),
        Finding::Unseen { target, failure } => Input::Unseen(CaseKey { target, failure }),
        Finding::Exited {
            target, evidence, ..
        } => Input::Exited(target, evidence),
    }
}
