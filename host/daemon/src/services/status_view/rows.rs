//! The rows of all targets in `status`, each kept as the JSON that it is.
//!
//! Invariant: after [`Rows::renew`] every row is as if it had been gathered then; those that were gathered are only
//! those that may have changed.

use super::sources::StatusSources;
use mainstay_domain::name::TargetName;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

#[derive(Default)]
pub(super) struct Rows {
    /// In the order of the config.
    targets: Arc<[(TargetName, u8)]>,
    places: HashMap<TargetName, usize>,
    /// One for each of `targets`.
    json: Vec<Box<[u8]>>,
    gathered: u64,
}

impl Rows {
    /// Makes the rows those of now; whether one has changed, or their order. After an error they are all gathered again
    /// the next time.
    pub(super) fn renew(
        &mut self,
        sources: &StatusSources,
        targets: &Arc<[(TargetName, u8)]>,
    ) -> serde_json::Result<bool> {
        let renewed = self.try_renew(sources, targets);
        if renewed.is_err() {
            *self = Self {
                gathered: self.gathered,
                ..Self::default()
            };
        }
        renewed
    }

    fn try_renew(
        &mut self,
        sources: &StatusSources,
        targets: &Arc<[(TargetName, u8)]>,
    ) -> serde_json::Result<bool> {
        // Taken before anything is looked at: what changes after that is noted for the next time.
        let changed = sources.changed.take();
        if !Arc::ptr_eq(&self.targets, targets) {
            return self.set_targets(sources, targets, &changed);
        }
        let mut any = false;
        for name in changed {
            let Some(&place) = self.places.get(&name) else {
                continue;
            };
            let Some((name, priority)) = targets.get(place) else {
                continue;
            };
            let row = self.gather(sources, name, *priority)?;
            if let Some(known) = self.json.get_mut(place)
                && *known != row
            {
                *known = row;
                any = true;
            }
        }
        Ok(any)
    }

    /// Takes up another list of targets; rows of those that stay as they are go on.
    fn set_targets(
        &mut self,
        sources: &StatusSources,
        targets: &Arc<[(TargetName, u8)]>,
        changed: &HashSet<TargetName>,
    ) -> serde_json::Result<bool> {
        let before = std::mem::replace(&mut self.targets, Arc::clone(targets));
        let rows = std::mem::take(&mut self.json);
        let mut known: HashMap<_, _> = before.iter().zip(rows).collect();
        let mut json = Vec::with_capacity(targets.len());
        self.places = HashMap::with_capacity(targets.len());
        for (place, target) in targets.iter().enumerate() {
            let (name, priority) = target;
            self.places.insert(name.clone(), place);
            let kept = known.remove(target).filter(|_| !changed.contains(name));
            json.push(match kept {
                Some(row) => row,
                None => self.gather(sources, name, *priority)?,
            });
        }
        self.json = json;
        Ok(true)
    }

    fn gather(
        &mut self,
        sources: &StatusSources,
        name: &TargetName,
        priority: u8,
    ) -> serde_json::Result<Box<[u8]>> {
        self.gathered += 1;
        let row = sources.row(name, priority);
        Ok(serde_json::to_vec(&row)?.into())
    }

    /// All rows with commas between them, and this around them.
    pub(super) fn between(&self, before: &[u8], after: &[u8]) -> Vec<u8> {
        let rows: usize = self.json.iter().map(|row| row.len() + 1).sum();
        let mut all = Vec::with_capacity(before.len() + rows + after.len());
        all.extend_from_slice(before);
        for (place, row) in self.json.iter().enumerate() {
            if place > 0 {
                all.push(b',');
            }
            all.extend_from_slice(row);
        }
        all.extend_from_slice(after);
        all
    }

    /// How many rows were gathered so far.
    pub(super) fn gathered(&self) -> u64 {
        self.gathered
    }
}
