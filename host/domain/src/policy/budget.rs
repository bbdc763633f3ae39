//! When recoveries began, for what may begin within an hour.
//!
//! Invariant: what counts once counts for [`WINDOW`], by the time that is lived; a wall clock that jumps makes nothing count
//! for longer. Of what a daemon before began only the wall clock knows how long ago.
//! Invariant: it is known of everything that began, also where no budget was configured: one that is configured later counts
//! what was before it.

use super::Scope;
use crate::{name::TargetName, spec::PolicySpec, time::Monotonic};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// How long a beginning counts.
pub const WINDOW: Duration = Duration::from_secs(3600);

/// The beginnings of the last hour.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Until when each counts, and of which target it was; the first to end first.
    all: VecDeque<(Monotonic, TargetName)>,
    /// The same of each group and target.
    scopes: HashMap<Scope, VecDeque<Monotonic>>,
}

impl Ledger {
    /// A recovery begins.
    pub fn begin(&mut self, target: &TargetName, policy: &PolicySpec, now: Monotonic) {
        self.expire(policy, now);
        self.put(target, policy, now + WINDOW);
    }

    /// One began so long ago, under a daemon before.
    pub fn began_before(
        &mut self,
        target: &TargetName,
        age: Duration,
        policy: &PolicySpec,
        now: Monotonic,
    ) {
        if age < WINDOW {
            self.put(target, policy, now + (WINDOW - age));
        }
    }

    /// Other groups are configured.
    pub fn regroup(&mut self, policy: &PolicySpec) {
        self.scopes.clear();
        let all = std::mem::take(&mut self.all);
        for (end, target) in all {
            self.put(&target, policy, end);
        }
    }

    /// How many count now.
    pub fn begun(&self, scope: &Scope, now: Monotonic) -> u32 {
        let count = match scope {
            Scope::Host => self.all.len() - self.all.partition_point(|(end, _)| *end <= now),
            scope => self.scopes.get(scope).map_or(0, |ends| {
                ends.len() - ends.partition_point(|end| *end <= now)
            }),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// When fewer than `limit` count, `more` counted with them for as long as the newest; none where that is so now.
    pub fn frees_at(
        &self,
        scope: &Scope,
        limit: u32,
        more: u32,
        now: Monotonic,
    ) -> Option<Monotonic> {
        let count = self.begun(scope, now);
        let total = count.saturating_add(more);
        if total < limit {
            return None;
        }
        // So many have to end first.
        let ending = usize::try_from(total - limit).unwrap_or(usize::MAX);
        let counting = |place: usize| match scope {
            Scope::Host => {
                let past = self.all.partition_point(|(end, _)| *end <= now);
                self.all
                    .get(past.saturating_add(place))
                    .map(|(end, _)| *end)
            }
            scope => {
                let ends = self.scopes.get(scope)?;
                let past = ends.partition_point(|end| *end <= now);
                ends.get(past.saturating_add(place)).copied()
            }
        };
        // What is about to begin has not begun to count.
        Some(counting(ending).unwrap_or(now + WINDOW))
    }

    fn put(&mut self, target: &TargetName, policy: &PolicySpec, end: Monotonic) {
        let place = self.all.partition_point(|(other, _)| *other <= end);
        self.all.insert(place, (end, target.clone()));
        for scope in own_scopes(target, policy) {
            let ends = self.scopes.entry(scope).or_default();
            let place = ends.partition_point(|other| *other <= end);
            ends.insert(place, end);
        }
    }

    fn expire(&mut self, policy: &PolicySpec, now: Monotonic) {
        while self.all.front().is_some_and(|(end, _)| *end <= now) {
            let Some((_, target)) = self.all.pop_front() else {
                return;
            };
            for scope in own_scopes(&target, policy) {
                let Some(ends) = self.scopes.get_mut(&scope) else {
                    continue;
                };
                let past = ends.partition_point(|end| *end <= now);
                ends.drain(..past);
                if ends.is_empty() {
                    self.scopes.remove(&scope);
                }
            }
        }
    }
}

/// The scopes of a target that are not the host's.
fn own_scopes(target: &TargetName, policy: &PolicySpec) -> impl Iterator<Item = Scope> {
    let group = policy.group_of(target);
    let group = group.map(|(name, _)| Scope::Group(name.clone()));
    group.into_iter().chain([Scope::Target(target.clone())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::GroupName,
        spec::{GroupSpec, TargetPolicySpec},
    };

    fn name(text: &str) -> TargetName {
        TargetName::parse(text).unwrap()
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    /// `a` and `b` are `web`.
    fn grouped() -> PolicySpec {
        let web = GroupName::parse("web").unwrap();
        let members = ["a", "b"].map(name);
        let of_web = TargetPolicySpec {
            group: Some(web.clone()),
            ..TargetPolicySpec::default()
        };
        PolicySpec {
            targets: members
                .iter()
                .cloned()
                .map(|one| (one, of_web.clone()))
                .collect(),
            groups: [(
                web,
                GroupSpec {
                    members: members.into(),
                    ..GroupSpec::default()
                },
            )]
            .into(),
            ..PolicySpec::default()
        }
    }

    fn web() -> Scope {
        Scope::Group(GroupName::parse("web").unwrap())
    }

    fn counts(ledger: &Ledger, now: Monotonic) -> [u32; 4] {
        let scopes = [
            Scope::Host,
            web(),
            Scope::Target(name("a")),
            Scope::Target(name("c")),
        ];
        scopes.map(|scope| ledger.begun(&scope, now))
    }

    #[test]
    fn what_began_counts_for_an_hour_in_each_scope_that_it_is_in() {
        let policy = grouped();
        let mut ledger = Ledger::default();
        for (target, second) in [("a", 0), ("b", 10), ("c", 20), ("a", 30)] {
            ledger.begin(&name(target), &policy, at(second));
        }
        assert_eq!(counts(&ledger, at(30)), [4, 3, 2, 1]);
        assert_eq!(counts(&ledger, at(3_600)), [3, 2, 1, 1]);
        assert_eq!(ledger.frees_at(&Scope::Host, 4, 0, at(30)), Some(at(3_600)));
        assert_eq!(ledger.frees_at(&Scope::Host, 4, 2, at(30)), Some(at(3_620)));
        assert_eq!(ledger.frees_at(&Scope::Host, 5, 0, at(30)), None);
        assert_eq!(ledger.frees_at(&web(), 1, 0, at(30)), Some(at(3_630)));
        assert_eq!(
            ledger.frees_at(&web(), 1, 4, at(30)),
            Some(at(3_630)),
            "what is about to begin ends last"
        );
        ledger.begin(&name("c"), &policy, at(9_000));
        assert_eq!(counts(&ledger, at(9_000)), [1, 0, 0, 1]);
        assert_eq!(
            ledger.all.len() + ledger.scopes.len(),
            2,
            "the past is gone"
        );
    }

    #[test]
    fn what_a_daemon_before_began_counts_for_the_rest_of_its_hour() {
        let policy = grouped();
        let mut ledger = Ledger::default();
        for age in [4_000, 3_600, 3_599, 0] {
            ledger.began_before(&name("a"), Duration::from_secs(age), &policy, at(5));
        }
        assert_eq!(counts(&ledger, at(5)), [2, 2, 2, 0]);
        assert_eq!(counts(&ledger, at(6)), [1, 1, 1, 0]);
        assert_eq!(counts(&ledger, at(3_605)), [0; 4]);
    }

    #[test]
    fn a_group_that_is_configured_later_counts_what_was_before_it() {
        let mut ledger = Ledger::default();
        ledger.begin(&name("a"), &PolicySpec::default(), at(0));
        assert_eq!(counts(&ledger, at(1)), [1, 0, 1, 0]);
        ledger.regroup(&grouped());
        assert_eq!(counts(&ledger, at(1)), [1, 1, 1, 0]);
        ledger.regroup(&PolicySpec::default());
        assert_eq!(counts(&ledger, at(1)), [1, 0, 1, 0]);
    }

    /// A name is all that is known of a target here.
    #[test]
    fn a_target_under_another_name_counts_anew_and_the_host_counts_on() {
        let mut ledger = Ledger::default();
        ledger.begin(&name("a"), &grouped(), at(0));
        let mut renamed = grouped();
        let of_web = renamed.targets.remove(&name("a")).unwrap();
        renamed.targets.insert(name("c"), of_web);
        ledger.regroup(&renamed);
        assert_eq!(counts(&ledger, at(1)), [1, 0, 1, 0]);
        ledger.begin(&name("c"), &renamed, at(1));
        assert_eq!(counts(&ledger, at(1)), [2, 1, 1, 1]);
    }
}
