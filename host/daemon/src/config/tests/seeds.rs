//! What the policies and presets that the seeds are shipped with are in this config.

use super::{HOST, load_text};
use mainstay_domain::{
    condition::Condition,
    name::PluginName,
    policy::Phase,
    spec::{OnFailure, Spec},
};
use std::{collections::BTreeMap, time::Duration};

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// [seed 002] The presets of its breakers: after how many failures, and for how long.
#[test]
fn the_presets_of_the_seed_are_presets_here() {
    for (name, fail_after, open_for) in [
        ("adaptive-governance", 3, 15),
        ("policy-registry", 3, 15),
        ("opa-client", 3, 15),
        ("audit-ledger", 7, 60),
        ("deliberation-layer", 7, 45),
        ("rust-message-bus", 5, 30),
        ("constraint-generation", 5, 30),
        ("vector-search", 5, 30),
    ] {
        let text = format!(
            "{HOST}[breaker.{name}]\nfail_after = {fail_after}\nopen_for = \"{open_for}s\"\n\
             [[target]]\nname = \"a\"\nbreaker = \"{name}\"\n\
             [[target.check]]\nkind = \"tcp\"\naddress = \"h:1\"\nfailure = \"down\"\n"
        );
        let spec = load_text(&text).unwrap().spec;
        let target = &spec.targets[0];
        let check = &target.checks[0];
        assert_eq!(
            (check.fail_after, check.recover_after),
            (fail_after, 2),
            "{name}"
        );
        assert_eq!(target.breaker.open_for, seconds(open_for), "{name}");
    }
}

fn seed_001() -> Spec {
    match load_text(include_str!("../corpus/good/seed-001.toml")) {
        Ok(loaded) => loaded.spec,
        Err(errors) => panic!("{errors}"),
    }
}

/// The handler, the condition and the time of each step.
type Steps = &'static [(&'static str, &'static str, u64)];

/// [seed 001] Six policies, each a chain of which the steps have conditions; the severities from which they act, and that a
/// failed step does not keep the next from its turn.
#[test]
fn the_policies_of_the_seed_are_routes_here() {
    let spec = seed_001();
    let policies: [(&str, Steps); 6] = [
        (
            "power",
            &[
                ("reduce-power-load", "severity >= 0.7", 45_000),
                (
                    "alert-ground",
                    "severity >= 0.8 or recurrence_count >= 2",
                    15_000,
                ),
                (
                    "enter-safe-mode",
                    "severity >= 0.9 or recurrence_count >= 3",
                    22_500,
                ),
            ],
        ),
        (
            "thermal",
            &[
                ("activate-cooling", "severity >= 0.6", 30_000),
                (
                    "reduce-processor-load",
                    "severity >= 0.7 or duration > 180",
                    22_500,
                ),
                ("reduce-power-load", "severity >= 0.8", 45_000),
                (
                    "alert-ground",
                    "severity >= 0.85 or recurrence_count >= 2",
                    45_000,
                ),
            ],
        ),
        (
            "attitude",
            &[
                ("stabilize-attitude", "severity >= 0.8", 90_000),
                ("safe-mode", "severity >= 0.9", 45_000),
                ("alert-ground", "always", 45_000),
            ],
        ),
        (
            "comm",
            &[
                ("restart-radio", "severity >= 0.75", 45_000),
                ("switch-to-backup-radio", "severity >= 0.85", 30_000),
                ("safe-mode", "severity >= 0.95", 45_000),
            ],
        ),
        (
            "memory",
            &[
                ("cache-purge", "severity >= 0.7", 90_000),
                ("reduce-processor-load", "severity >= 0.8", 45_000),
                ("alert-ground", "severity >= 0.85", 45_000),
            ],
        ),
        (
            "unknown",
            &[
                ("log-detailed-state", "", 45_000),
                ("alert-ground", "severity >= 0.85", 45_000),
                ("safe-mode", "severity >= 0.95", 45_000),
            ],
        ),
    ];
    assert_eq!(spec.routes.len(), policies.len());
    for (route, (name, steps)) in spec.routes.iter().zip(policies) {
        let failure = route.failure.as_ref().map(|failure| failure.as_str());
        assert_eq!(failure.unwrap_or("unknown"), name);
        assert_eq!(route.cooldown, seconds(300), "{name}");
        assert_eq!(route.chain.len(), steps.len(), "{name}");
        for (place, (step, (handler, when, millis))) in route.chain.iter().zip(steps).enumerate() {
            assert_eq!(step.handler.as_str(), *handler, "{name}");
            assert_eq!(step.always, *when == "always", "{name}: {handler}");
            let expected = match *when {
                "" | "always" => None,
                text => Some(Condition::parse(text).unwrap()),
            };
            assert_eq!(step.when, expected, "{name}: {handler}");
            assert_eq!(
                step.timeout,
                Duration::from_millis(*millis),
                "{name}: {handler}"
            );
            let on_failure = (!step.always).then_some(OnFailure::Continue);
            assert_eq!(step.on_failure, on_failure, "{name}: {handler}");
            let pause = if place == 0 { 0 } else { 2 };
            assert_eq!(step.pause, seconds(pause), "{name}: {handler}");
        }
    }
}

/// [seed 001] A cooldown for each handler; what its phases forbid; its budgets, which its own system never enforced; and that
/// people are told after two attempts, which it never did.
#[test]
fn the_cooldowns_restrictions_and_budgets_of_the_seed_are_policies_here() {
    let spec = seed_001();
    let plugin = |name: &str| PluginName::parse(name).unwrap();
    let cooldowns = [
        ("circuit-restart", 300),
        ("cache-purge", 600),
        ("safe-mode", 300),
        ("reduce-power-load", 180),
        ("activate-cooling", 240),
        ("stabilize-attitude", 300),
        ("reduce-processor-load", 180),
        ("enter-safe-mode", 600),
        ("alert-ground", 60),
    ];
    let expected = cooldowns.map(|(name, length)| (plugin(name), seconds(length)));
    assert_eq!(spec.policy.cooldowns, BTreeMap::from(expected));
    let forbidden: [(&str, &[Phase]); 3] = [
        (
            "reduce-power-load",
            &[Phase::Launch, Phase::Deployment, Phase::Safe],
        ),
        ("stabilize-attitude", &[Phase::Launch, Phase::Deployment]),
        ("activate-cooling", &[]),
    ];
    for (handler, phases) in forbidden {
        for phase in Phase::ALL {
            let lets = spec.policy.phase(phase).lets(&plugin(handler));
            assert_eq!(lets, !phases.contains(&phase), "{handler} in {phase}");
        }
    }
    let host = &spec.policy.host;
    let bounds = [host.concurrent, host.per_hour].map(|bound| bound.map(|bound| bound.get()));
    assert_eq!(bounds, [Some(1), Some(10)]);
    assert_eq!(spec.escalation.attempts, Some(2));
}
