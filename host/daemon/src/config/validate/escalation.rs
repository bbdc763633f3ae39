//! `[escalation]` and `[[runbook]]`.

use super::super::{
    document::Place,
    reader::{Fields, ValueAt},
    values::{count, duration, name, positive_duration, text},
};
use mainstay_domain::{name::FailureType, spec::EscalationSpec};
use std::{collections::BTreeMap, time::Duration};

/// [seed 000]
const AFTER: Duration = Duration::from_secs(180);

const STEPS: &str = "steps = [\"look at the disk\", \"call the owner\"]";

/// Both, for what is done is one.
pub(super) fn escalation(fields: &mut Fields<'_>) -> EscalationSpec {
    let default = EscalationSpec {
        after: Some(AFTER),
        ..EscalationSpec::default()
    };
    let escalation = fields.or("escalation", default, times);
    let mut runbooks = BTreeMap::new();
    for (place, failure, steps) in fields.list("runbook", "[[runbook]]", runbook) {
        if runbooks.contains_key(&failure) {
            let message = format!("there is another runbook of {failure} before this one");
            let help = "keep one of them, with all its steps";
            fields.context.error(place, message, help);
        }
        runbooks.insert(failure, steps);
    }
    EscalationSpec {
        runbooks,
        ..escalation
    }
}

fn times(at: ValueAt<'_>) -> Option<EscalationSpec> {
    at.fields("[escalation]", |fields| {
        let after = fields.or("after", AFTER, duration);
        Some(EscalationSpec {
            after: (!after.is_zero()).then_some(after),
            attempts: fields.optional("attempts", count),
            second_level_after: fields.optional("second_level_after", positive_duration),
            runbooks: BTreeMap::new(),
        })
    })
}

fn runbook(at: ValueAt<'_>) -> Option<(Place, FailureType, Vec<String>)> {
    at.fields("this runbook", |fields| {
        let failure = name(FailureType::parse);
        let failure = fields.required("failure", "failure = \"disk-full\"", failure);
        let steps = fields.required("steps", STEPS, |at| {
            let steps = at.each(&format!("write {STEPS}"), text)?;
            if steps.is_empty() {
                let message = "`steps` has no step that can be read";
                return at.refuse(message, format!("write {STEPS}"));
            }
            Some(steps)
        });
        Some((at.node.place, failure?, steps?))
    })
}
