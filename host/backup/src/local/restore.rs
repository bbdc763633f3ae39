//! Writes the state that a chain gives into directories.
//!
//! Invariant: what is in place was checked against every hash and the root hash, and is durable.
//! Invariant: a stop counts until the new trees are whole and durable; from then on the restore goes through.

use super::{
    apart::check_apart,
    carry::carry_over,
    check_stop,
    coverage::covered_places,
    files::Layout,
    hosts_own::{check_not_own, check_not_state},
    listing::Listing,
    reading::Reading,
    swap::Swap,
    tree_writer::{Destination, write_tree},
};
use crate::port::{
    BackupStoreError, OnProgress, RestorePlace, RestoreRules, RestoredTree, StagedRestore,
};
use mainstay_domain::{
    archive::{DocumentKey, KeyPrefix, Selection},
    code::ErrorCode,
    id::BackupId,
    name::JobName,
    spec::{BackupSource, HttpSource, PluginSource, RedisSource},
};
use std::{collections::HashSet, path::PathBuf};
use tokio_util::sync::CancellationToken;

/// The new trees, whole and durable beside their places.
pub(super) struct StagedTrees {
    swaps: Vec<Swap>,
    merge: bool,
    /// What stays of the old trees; none where nothing does.
    left_alone: Option<Reading>,
    restored: RestoredTree,
}

impl StagedRestore for StagedTrees {
    fn place(self: Box<Self>) -> Result<RestoredTree, BackupStoreError> {
        let Self {
            mut swaps,
            merge,
            left_alone,
            restored,
        } = *self;
        // As late as can be: what is made after it was looked for is lost when the trees are exchanged.
        if let Some(left_alone) = left_alone {
            for swap in &swaps {
                carry_over(swap.target(), swap.staging(), &left_alone)?;
            }
        }
        for swap in &mut swaps {
            match merge {
                true => swap.merge()?,
                false => swap.place()?,
            }
        }
        for swap in swaps {
            swap.commit();
        }
        Ok(restored)
    }
}

/// Writes the new trees beside their places.
pub(super) fn stage(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    (place, rules): (&RestorePlace, &RestoreRules),
    progress: &OnProgress,
) -> Result<StagedTrees, BackupStoreError> {
    let RestoreRules {
        only,
        merge,
        left_alone,
    } = rules;
    let left_alone = match place {
        RestorePlace::InPlace(_) if !merge => Some(Reading::of(left_alone)?),
        _ => None,
    };
    let (targets, ignored) = match place {
        RestorePlace::Into { path, replace } => (vec![("", path, *replace)], HashSet::new()),
        RestorePlace::InPlace(sources) => in_place(sources)?,
    };
    let mut places = Vec::new();
    for (prefix, path, replace) in targets {
        check_apart(layout, path)?;
        check_not_state(layout, path)?;
        if let RestorePlace::Into { .. } = place {
            check_not_own(layout, path, *merge)?;
        }
        let prefix = KeyPrefix::parse(prefix)
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        let swap = match merge {
            true => Swap::begin_merge(path)?,
            false => Swap::begin(path, replace)?,
        };
        places.push((prefix, swap));
    }
    let roots = places
        .iter()
        .map(|(prefix, swap)| (prefix.clone(), swap.staging().to_owned()))
        .collect();
    let to = Destination {
        roots,
        ignored,
        only: only.clone(),
    };
    let (restored, listing) = write_tree(layout, stop, job, chain, to, progress)?;
    check_stop(stop)?;
    if let RestorePlace::InPlace(_) = place {
        places = match merge {
            true => touched_places(&listing, only, places)?,
            false => covered_places(layout, job, chain, &listing, places)?,
        };
    }
    let swaps = places.into_iter().map(|(_, swap)| swap).collect();
    Ok(StagedTrees {
        swaps,
        merge: *merge,
        left_alone,
        restored,
    })
}

/// The places that something is merged into. The others stay as they are, and none is made that the backup has not.
fn touched_places(
    listing: &Listing,
    only: &Selection,
    places: Vec<(KeyPrefix, Swap)>,
) -> Result<Vec<(KeyPrefix, Swap)>, BackupStoreError> {
    let mut touched = Vec::new();
    for (prefix, swap) in places {
        let root = prefix.join(&DocumentKey::root());
        let is_meant = only.holds(&root) || only.leads_through(&root) || only.has_patterns();
        if is_meant && listing.get(&root)?.is_some() {
            touched.push((prefix, swap));
        }
    }
    Ok(touched)
}

type Targets<'a> = (Vec<(&'a str, &'a PathBuf, bool)>, HashSet<DocumentKey>);

/// The directories among the sources, and the keys that belong to none.
fn in_place(sources: &[BackupSource]) -> Result<Targets<'_>, BackupStoreError> {
    let mut targets = Vec::new();
    let mut ignored = HashSet::new();
    for source in sources {
        match source {
            BackupSource::Directory { path, prefix } => targets.push((prefix.as_str(), path, true)),
            BackupSource::Command { key, .. }
            | BackupSource::File { key, .. }
            | BackupSource::Http(HttpSource { key, .. })
            | BackupSource::Plugin(PluginSource { prefix: key, .. })
            | BackupSource::Redis(RedisSource { key, .. })
            | BackupSource::Sqlite { key, .. } => {
                ignored.extend(DocumentKey::parse(key));
            }
        }
    }
    if targets.is_empty() {
        let why = "the job has no directory among its sources, and nothing else is put back in place; restore into a directory";
        return Err(BackupStoreError::Unavailable(
            ErrorCode::RestoreRefused.mark(why),
        ));
    }
    Ok((targets, ignored))
}
