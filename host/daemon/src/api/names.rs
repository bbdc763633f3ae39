//! What a request names, where there is no such thing: the error, with the name that was perhaps meant.
//!
//! Invariant: a name that only the past knows is no error where the past is asked for.

use super::{Served, error::ApiError};
use crate::{
    config::nearest,
    ports::{EventFilter, HistoryFilter},
};
use mainstay_domain::{
    name::{JobName, PluginName, TargetName},
    text::list,
};
use std::fmt::Display;

/// Where there are more of a kind, they are not told one by one.
const MOST_TOLD: usize = 10;

/// There is no thing of this name; the nearest of those that there are is what was meant, perhaps, and a few are told.
pub(super) fn unknown<'a>(
    thing: &str,
    name: &impl Display,
    there_are: impl IntoIterator<Item = &'a str>,
    lists: &str,
) -> ApiError {
    let name = name.to_string();
    let there_are: Vec<&str> = there_are.into_iter().collect();
    let error = match nearest(&name, there_are.iter().copied()) {
        Some(meant) => format!("there is no {thing} `{name}`; did you mean `{meant}`?"),
        None => format!("there is no {thing} `{name}`"),
    };
    let mut help = format!("`{lists}` lists {thing}s");
    if (1..=MOST_TOLD).contains(&there_are.len()) {
        help = format!("there are: {}; {help}", list(&there_are, ""));
    }
    ApiError::not_found(error, help)
}

/// There is no such target.
pub(super) fn no_such_target(served: &Served, target: &TargetName) -> ApiError {
    let targets = served.ports.host.facts().targets;
    let names = targets.iter().map(|(name, _)| name.as_str());
    unknown("target", target, names, "mainstay status --all")
}

fn is_target(served: &Served, target: &TargetName) -> bool {
    // Whether it is one is known at once of those that a service has; the list is gone through only for the others.
    let is_listed = || {
        let targets = served.ports.host.facts().targets;
        targets.iter().any(|(name, _)| name == target)
    };
    served.ports.targets.status(target).is_some() || is_listed()
}

/// The config has this target.
pub(super) fn must_be_target(served: &Served, target: &TargetName) -> Result<(), ApiError> {
    match is_target(served, target) {
        true => Ok(()),
        false => Err(no_such_target(served, target)),
    }
}

/// The config has this job.
pub(super) fn must_be_job(served: &Served, job: &JobName) -> Result<(), ApiError> {
    let jobs = served.ports.backups.jobs();
    if jobs.iter().any(|there| there.name == *job) {
        return Ok(());
    }
    let names = jobs.iter().map(|there| there.name.as_str());
    Err(unknown("job", job, names, "mainstay status --all"))
}

/// The plugin that was perhaps meant by a name that none has; none where one has it, or none is near.
pub(super) fn plugin_meant(served: &Served, name: &PluginName) -> Option<String> {
    let rows = served.ports.plugins.rows();
    let names = || rows.iter().filter_map(|row| row.name.as_ref());
    match names().any(|there| there == name) {
        true => None,
        false => nearest(name.as_str(), names().map(PluginName::as_str)).map(str::to_owned),
    }
}

/// The config has this target, or the journal knows it; where none is named there is nothing to know.
pub(super) async fn known(served: &Served, target: Option<&TargetName>) -> Result<(), ApiError> {
    let Some(target) = target else {
        return Ok(());
    };
    if is_target(served, target) {
        return Ok(());
    }
    let records = &served.ports.records;
    let operations = HistoryFilter {
        target: Some(target.clone()),
        limit: 1,
        ..HistoryFilter::default()
    };
    let events = EventFilter {
        target: Some(target.clone()),
        from: None,
    };
    let is_past = !records.history(operations).await?.is_empty()
        || !records.events_like(events, 0, 1).await?.is_empty()
        || !records.renames(Some(target.clone()), 1).await?.is_empty();
    match is_past {
        true => Ok(()),
        false => Err(no_such_target(served, target)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_that_there_are_are_told_and_many_are_not() {
        let lists = "`mainstay status --all` lists jobs";
        for (there_are, expected) in [
            (vec![], lists.to_owned()),
            (vec!["shop"], format!("there are: shop; {lists}")),
            (
                vec!["shop", "state"],
                format!("there are: shop, state; {lists}"),
            ),
            (vec!["shop"; MOST_TOLD + 1], lists.to_owned()),
        ] {
            let names = there_are.iter().copied();
            let found = unknown("job", &"nope", names, "mainstay status --all");
            let expected = ApiError::not_found("there is no job `nope`", expected);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
    }
}
