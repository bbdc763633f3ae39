//! `archive` of a job: the tier to which its old backups go.

use super::{
    super::super::{reader::ValueAt, values::positive_duration},
    DAY, tiers,
};
use mainstay_domain::spec::ArchiveSpec;

pub(super) fn archive(at: ValueAt<'_>) -> Option<ArchiveSpec> {
    at.fields("the archive", |fields| {
        let tier = fields.required("tier", "tier = \"cold\"", tiers::tier);
        let full_after = fields.or("full_after", 30 * DAY, positive_duration);
        let differential_after = fields.or("differential_after", 14 * DAY, positive_duration);
        Some(ArchiveSpec {
            tier: tier?,
            full_after,
            differential_after,
        })
    })
}
