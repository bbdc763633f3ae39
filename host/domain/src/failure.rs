//! Failure types that are well known [seed 000]: how bad they are, and what suffers with them, by default.
//!
//! Any other kebab-case name is allowed too: it is high, and nothing is known to suffer with it.

use crate::{name::FailureType, severity::Severity};

struct WellKnown {
    name: &'static str,
    severity: Severity,
    affected: &'static [&'static str],
}

const fn well_known(
    name: &'static str,
    severity: Severity,
    affected: &'static [&'static str],
) -> WellKnown {
    WellKnown {
        name,
        severity,
        affected,
    }
}

/// The ten of the seed, then what an unexpected exit is called where the operator named nothing.
const WELL_KNOWN: [WellKnown; 11] = {
    use Severity::{Critical, High, Medium};
    [
        well_known(
            "redis-down",
            High,
            &["cache", "hot-storage", "real-time-data"],
        ),
        well_known(
            "postgres-down",
            Critical,
            &["warm-storage", "persistence", "history"],
        ),
        well_known(
            "s3-unavailable",
            Medium,
            &["cold-storage", "backups", "archives"],
        ),
        well_known(
            "network-partition",
            High,
            &["network", "remote-dependencies"],
        ),
        well_known(
            "data-corruption",
            Critical,
            &["all-storage", "data-integrity"],
        ),
        well_known(
            "trading-engine-crash",
            Critical,
            &["order-execution", "position-management"],
        ),
        well_known(
            "ml-model-failure",
            Medium,
            &["predictions", "strategy-selection"],
        ),
        well_known(
            "api-gateway-down",
            High,
            &["external-api", "user-interface"],
        ),
        well_known("memory-overflow", Critical, &["performance", "cache"]),
        well_known("disk-full", High, &["storage", "logging", "checkpoints"]),
        well_known(SERVICE_DOWN, High, &[]),
    ]
};

const SERVICE_DOWN: &str = "service-down";

/// What an unexpected exit is called where neither the target nor its first check says otherwise.
pub fn service_down() -> FailureType {
    FailureType::known(SERVICE_DOWN)
}

/// Every failure type that is well known: the ten of the seed, then [`service_down`].
pub fn all_well_known() -> impl Iterator<Item = FailureType> {
    WELL_KNOWN
        .iter()
        .map(|known| FailureType::known(known.name))
}

/// How bad it is where the operator does not say.
///
/// A name of the operator's own is high, as the exit of a process is: who gives a failure a name and looks for it wants to
/// hear of it. An alert that is too loud costs a look, and is made quieter with one key; one that an alert route lets fall
/// costs an outage that nobody hears of, and nothing says which key is missing.
pub fn default_severity(failure: &FailureType) -> Severity {
    find(failure).map_or(Severity::High, |known| known.severity)
}

/// What else suffers, for people.
pub fn affected(failure: &FailureType) -> &'static [&'static str] {
    find(failure).map_or(&[], |known| known.affected)
}

/// What a person has to do where recovery does not help, in order, where that is known: the seed's lists [seed 000].
/// Empty for every other failure, of which only who wrote a runbook for it can say anything.
pub fn checklist(failure: &FailureType) -> &'static [&'static str] {
    match failure.as_str() {
        "data-corruption" => &[
            "stop all trading",
            "make an emergency checkpoint",
            "verify the integrity of the backups",
            "restore the last known good state",
            "validate all position data",
            "reconcile with the broker",
            "resume gradually",
        ],
        "trading-engine-crash" => &[
            "cancel pending orders",
            "verify that positions are consistent",
            "check partial fills",
            "reconcile with the exchange",
            "restart the engine",
            "run the validation tests",
            "resume with reduced limits",
        ],
        _ => &[],
    }
}

fn find(failure: &FailureType) -> Option<&'static WellKnown> {
    WELL_KNOWN
        .iter()
        .find(|known| known.name == failure.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_name_follows_the_rules_of_names() {
        for name in all_well_known() {
            assert_eq!(FailureType::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn the_four_of_the_seed_are_critical_and_one_of_the_operators_own_is_as_bad_as_an_exit() {
        let critical: Vec<String> = all_well_known()
            .filter(|name| default_severity(name) == Severity::Critical)
            .map(String::from)
            .collect();
        assert_eq!(
            critical,
            [
                "postgres-down",
                "data-corruption",
                "trading-engine-crash",
                "memory-overflow"
            ]
        );
        let unknown = FailureType::parse("printer-on-fire").unwrap();
        assert_eq!(
            default_severity(&unknown),
            default_severity(&service_down())
        );
        assert_eq!(default_severity(&unknown), Severity::High);
        assert!(affected(&unknown).is_empty());
    }

    /// [seed 000] What a person has to do about corrupt data and about a crash of the engine; nothing is made up for others.
    #[test]
    fn two_failures_have_the_seeds_checklists_and_no_other_has_one() {
        let of = |name: &str| checklist(&FailureType::parse(name).unwrap());
        let corruption = [
            "stop all trading",
            "make an emergency checkpoint",
            "verify the integrity of the backups",
            "restore the last known good state",
            "validate all position data",
            "reconcile with the broker",
            "resume gradually",
        ];
        assert_eq!(of("data-corruption"), corruption);
        let engine = [
            "cancel pending orders",
            "verify that positions are consistent",
            "check partial fills",
            "reconcile with the exchange",
            "restart the engine",
            "run the validation tests",
            "resume with reduced limits",
        ];
        assert_eq!(of("trading-engine-crash"), engine);
        for name in ["redis-down", "disk-full", "printer-on-fire"] {
            assert!(of(name).is_empty(), "{name}");
        }
    }

    /// [seed 000] The ten failures, and what suffers with each.
    #[test]
    fn each_of_the_ten_names_what_suffers_with_it() {
        let seeds: [(&str, &[&str]); 10] = [
            ("redis-down", &["cache", "hot-storage", "real-time-data"]),
            ("postgres-down", &["warm-storage", "persistence", "history"]),
            ("s3-unavailable", &["cold-storage", "backups", "archives"]),
            ("network-partition", &["network", "remote-dependencies"]),
            ("data-corruption", &["all-storage", "data-integrity"]),
            (
                "trading-engine-crash",
                &["order-execution", "position-management"],
            ),
            ("ml-model-failure", &["predictions", "strategy-selection"]),
            ("api-gateway-down", &["external-api", "user-interface"]),
            ("memory-overflow", &["performance", "cache"]),
            ("disk-full", &["storage", "logging", "checkpoints"]),
        ];
        let names = seeds.map(|(name, _)| FailureType::parse(name).unwrap());
        let known: Vec<FailureType> = all_well_known().collect();
        assert_eq!(known.strip_suffix(&[service_down()]), Some(&names[..]));
        for (name, (_, expected)) in names.iter().zip(seeds) {
            assert_eq!(affected(name), expected, "{name}");
        }
    }
}
