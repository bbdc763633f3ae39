//! The targets of a config, in its order and by name.
//!
//! Invariant: a name is looked up without going through all targets, for that is done for each finding and each effect.

use super::TargetSpec;
use crate::name::TargetName;
use std::{collections::HashMap, ops::Deref};

/// The managed targets of one config, in the order of the file; read them as a slice.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    list: Vec<TargetSpec>,
    places: HashMap<TargetName, usize>,
}

impl Targets {
    /// The target with this name; the first where a config that was refused names it twice.
    pub fn named(&self, name: &TargetName) -> Option<&TargetSpec> {
        self.list.get(*self.places.get(name)?)
    }
}

impl From<Vec<TargetSpec>> for Targets {
    fn from(list: Vec<TargetSpec>) -> Self {
        let mut places = HashMap::with_capacity(list.len());
        for (place, target) in list.iter().enumerate() {
            places.entry(target.name.clone()).or_insert(place);
        }
        Self { list, places }
    }
}

impl Deref for Targets {
    type Target = [TargetSpec];

    fn deref(&self) -> &[TargetSpec] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Targets {
    type Item = &'a TargetSpec;
    type IntoIter = std::slice::Iter<'a, TargetSpec>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl PartialEq for Targets {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{BreakerSpec, DrillSpec, ForeignCommands};
    use proptest::prelude::*;
    use std::time::Duration;

    fn target(name: &str, priority: u8) -> TargetSpec {
        TargetSpec {
            name: TargetName::parse(name).unwrap(),
            priority,
            depends_on: Vec::new(),
            rto: Duration::from_secs(300),
            process: None,
            commands: ForeignCommands::default(),
            checks: Vec::new(),
            breaker: BreakerSpec {
                open_for: Duration::from_secs(30),
            },
            validation_timeout: Duration::from_secs(60),
            start_period: Duration::ZERO,
            drill: DrillSpec::default(),
        }
    }

    proptest! {
        #[test]
        fn a_name_gives_what_going_through_all_targets_gives(names in proptest::collection::vec(0_u8..20, 0..30)) {
            let list: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(place, name)| target(&format!("t{name}"), u8::try_from(place).unwrap()))
                .collect();
            let targets = Targets::from(list.clone());
            prop_assert_eq!(&*targets, list.as_slice());
            for name in 0..20 {
                let name = TargetName::parse(&format!("t{name}")).unwrap();
                prop_assert_eq!(targets.named(&name), list.iter().find(|target| target.name == name));
            }
        }
    }
}
