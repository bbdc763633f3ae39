//! `[breaker.NAME]`, a preset that targets name [seed 002], and `breaker` of a target.

use super::{
    super::{
        context::EntityKind,
        reader::ValueAt,
        values::{count, existing, positive_duration},
    },
    named,
};
use mainstay_domain::name::BreakerName;
use std::{collections::BTreeMap, time::Duration};

/// Every preset, by its name.
pub(super) type Presets = BTreeMap<BreakerName, BreakerPreset>;

/// What is said of a breaker; what is not has its default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BreakerPreset {
    /// What `fail_after` is where a check does not say it.
    pub(super) fail_after: Option<u32>,
    /// The same of `recover_after`.
    pub(super) recover_after: Option<u32>,
    /// From open to half-open.
    pub(super) open_for: Option<Duration>,
}

pub(super) fn presets(at: ValueAt<'_>) -> Option<Presets> {
    named(at, EntityKind::Breaker, BreakerName::parse, |at, what| {
        at.fields(what, |fields| {
            Some(BreakerPreset {
                fail_after: fields.optional("fail_after", count),
                recover_after: fields.optional("recover_after", count),
                open_for: fields.optional("open_for", positive_duration),
            })
        })
    })
}

/// The breaker of a target: the name of a preset, or a table of its own.
pub(super) fn of_target(at: ValueAt<'_>, presets: &Presets) -> Option<BreakerPreset> {
    if at.as_text().is_some() {
        let name = existing(EntityKind::Breaker, BreakerName::parse)(at)?;
        return presets.get(&name).copied();
    }
    at.fields("the breaker", |fields| {
        Some(BreakerPreset {
            open_for: fields.optional("open_for", positive_duration),
            ..BreakerPreset::default()
        })
    })
}
