//! Dependencies that order nothing: what is waited for is given no time.
//!
//! Warnings: it may be meant that starts only follow one another.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::spec::TargetSpec;
use std::collections::HashMap;

/// A warning for each target that others wait for in vain.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let spec = &loaded.spec;
    let mut waiting = HashMap::new();
    for target in &spec.targets {
        for dependency in &target.depends_on {
            waiting.entry(dependency).or_insert(&target.name);
        }
    }
    let mut problems = Vec::new();
    let in_vain = spec.targets.iter();
    for target in in_vain.filter(|target| is_not_waited_for(target)) {
        let name = &target.name;
        let Some(dependent) = waiting.get(name) else {
            continue;
        };
        let problem = Problem::warning(
            format!(
                "`{dependent}` depends on `{name}`, whose `start_period` is \"0s\": `{dependent}` starts as soon as `{name}` \
                 was started, whether that works or not"
            ),
            "remove `start_period`, or write how long it may take until its checks pass; or take it out of `depends_on`",
        );
        problems.push(loaded.problem_about(EntityKind::Target, name.as_str(), problem));
    }
    problems
}

/// Whether its checks would say when it is there, and nothing waits for them.
fn is_not_waited_for(target: &TargetSpec) -> bool {
    target.start_period.is_zero() && !target.checks.is_empty() && !target.has_to_end()
}

#[cfg(test)]
mod tests {
    use super::super::testing::loaded;
    use super::*;

    #[test]
    fn a_dependency_that_is_given_no_time_is_warned_of() {
        let check = "[[target.check]]\nkind = \"process\"\nfailure = \"service-down\"\n";
        for (keys, check, depends_on, is_told) in [
            (
                "start_period = \"0s\"\n",
                check,
                "depends_on = [\"db\"]\n",
                true,
            ),
            ("start_period = \"0s\"\n", check, "", false),
            (
                "start_period = \"1s\"\n",
                check,
                "depends_on = [\"db\"]\n",
                false,
            ),
            ("", check, "depends_on = [\"db\"]\n", false),
            // Its start is all that can be waited for.
            (
                "start_period = \"0s\"\n",
                "",
                "depends_on = [\"db\"]\n",
                false,
            ),
            // Its end is waited for all the same.
            (
                "start_period = \"0s\"\nrestart = \"never\"\n",
                check,
                "depends_on = [\"db\"]\n",
                false,
            ),
        ] {
            let text = format!(
                "[[target]]\nname = \"db\"\nrun = [\"true\"]\n{keys}{check}\
                 [[target]]\nname = \"web\"\nrun = [\"true\"]\n{depends_on}"
            );
            let (_directory, loaded) = loaded(&text);
            let found = problems(&loaded);
            let says = "`web` depends on `db`, whose `start_period` is \"0s\"";
            assert_eq!(found.len(), usize::from(is_told), "{text}: {found:?}");
            assert!(
                found
                    .iter()
                    .all(|problem| !problem.is_error() && problem.message.starts_with(says)),
                "{found:?}"
            );
        }
    }
}
