//! The gate in numbers: what it refuses is counted, and how much of its budgets is used is looked up.

use mainstay_domain::policy::{GateNumbers, GateReason, Scope, WaitReason};
use metrics::{Label, counter, gauge};

/// What it has refused.
pub(super) fn look_up_refusals(gate: Option<&GateNumbers>) {
    for reason in GateReason::ALL {
        let count = gate.and_then(|gate| gate.refusals.get(&reason));
        let count = count.copied().unwrap_or_default();
        counter!("recovery_gate_refusals_total", "reason" => reason.as_str()).absolute(count);
    }
}

/// How it is now.
pub(super) fn look_up_gate(gate: &GateNumbers) {
    for reason in WaitReason::ALL {
        let count = gate.waiting.get(&reason).copied().unwrap_or_default();
        gauge!("recovery_operations_waiting", "reason" => reason.as_str()).set(f64::from(count));
    }
    for of_scope in &gate.budgets {
        let (scope, name) = match &of_scope.scope {
            Scope::Host => ("host", String::new()),
            Scope::Group(name) => ("group", name.to_string()),
            Scope::Target(name) => ("target", name.to_string()),
        };
        let labels = vec![Label::new("scope", scope), Label::new("name", name)];
        let set = |number: &'static str, value: u32| {
            gauge!(number, labels.clone()).set(f64::from(value));
        };
        set("recovery_gate_running", of_scope.running);
        set("recovery_gate_begun", of_scope.begun);
        if let Some(limit) = of_scope.budget.concurrent {
            set("recovery_gate_running_limit", limit.get());
        }
        if let Some(limit) = of_scope.budget.per_hour {
            set("recovery_gate_begun_limit", limit.get());
        }
    }
    for floor in &gate.floors {
        let group = || floor.group.to_string();
        gauge!("recovery_gate_healthy", "group" => group()).set(f64::from(floor.healthy));
        gauge!("recovery_gate_floor", "group" => group()).set(f64::from(floor.least));
    }
    gauge!("recovery_gate_cooldowns").set(f64::from(gate.cooling));
}
