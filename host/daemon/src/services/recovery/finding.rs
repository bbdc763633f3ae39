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
        Finding::Unseen {
            target,
            failure,
            stopped,
        } => {
            let key = CaseKey { target, failure };
            match stopped {
                Some(by) => Input::KeptStopped(key, by),
                None => Input::Unseen(key),
            }
        }
        Finding::Exited {
            target, evidence, ..
        } => Input::Exited(target, evidence),
    }
}
