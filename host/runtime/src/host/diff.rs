//! What has to change so that the plugins that serve are those that should.

use mainstay_domain::spec::PluginSpec;
use std::collections::BTreeMap;

/// Plugin versions by the digest of their component, with what the operator says of them.
pub type SpecsByDigest = BTreeMap<String, PluginSpec>;

/// A difference between two sets of plugins, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginDiff {
    /// To be built and served.
    pub add: Vec<String>,
    /// The same component under other grants, limits or settings.
    pub change: Vec<String>,
    /// To be drained.
    pub remove: Vec<String>,
}

impl PluginDiff {
    /// What leads from `current` to `desired`.
    pub fn between(current: &SpecsByDigest, desired: &SpecsByDigest) -> Self {
        let mut diff = Self::default();
        for (digest, spec) in desired {
            match current.get(digest) {
                None => diff.add.push(digest.clone()),
                Some(present) if present != spec => diff.change.push(digest.clone()),
                Some(_) => {}
            }
        }
        let gone = current
            .keys()
            .filter(|digest| !desired.contains_key(*digest));
        diff.remove = gone.cloned().collect();
        diff
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.change.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::spec::Grants;

    #[test]
    fn a_component_is_told_by_its_digest_and_what_the_operator_says_of_it() {
        let plain = PluginSpec::default;
        let granted = || PluginSpec {
            grants: Grants {
                kv_bytes: 1,
                ..Grants::default()
            },
            ..plain()
        };
        let set = |entries: &[(&str, PluginSpec)]| -> SpecsByDigest {
            entries
                .iter()
                .map(|(digest, spec)| ((*digest).to_owned(), spec.clone()))
                .collect()
        };
        let current = set(&[("a", plain()), ("b", plain()), ("c", plain())]);
        let desired = set(&[("a", plain()), ("b", granted()), ("d", plain())]);
        let diff = PluginDiff::between(&current, &desired);
        assert_eq!(diff.add, ["d"]);
        assert_eq!(diff.change, ["b"]);
        assert_eq!(diff.remove, ["c"]);
        assert!(PluginDiff::between(&current, &current).is_empty());
    }
}
