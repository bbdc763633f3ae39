//! `[tier.NAME]`, places where backups are stored beside the state directory, and `[tier.local]`, which is in it where nothing
//! else is said.

mod bucket;

use super::{
    super::{
        context::{Context, EntityKind},
        document::Value,
        reader::{Fields, ValueAt},
        values::{one_of, path, plain},
    },
    bandwidth, named,
};
use bucket::{azure, gcs, s3};
use mainstay_domain::{
    name::TierName,
    spec::{HostSpec, Spec, TierPlaceSpec, TierRole, TierSpec},
};
use std::{collections::BTreeMap, path::PathBuf};

const ROLES: [(&str, TierRole); 3] = [
    ("network", TierRole::Network),
    ("cloud", TierRole::Cloud),
    ("archive", TierRole::Archive),
];

/// What reads the keys of a kind, and what a tier of it is for by default.
type Kind = (fn(&mut Fields<'_>) -> Option<TierPlaceSpec>, TierRole);

const DIRECTORY: Kind = (directory, TierRole::Network);
const KINDS: [(&str, Kind); 4] = [
    ("directory", DIRECTORY),
    ("s3", (s3, TierRole::Cloud)),
    ("azure", (azure, TierRole::Cloud)),
    ("gcs", (gcs, TierRole::Cloud)),
];

pub(super) fn tiers(at: ValueAt<'_>) -> Option<BTreeMap<TierName, TierSpec>> {
    for (name, place, at) in at.entries() {
        let has =
            |key: &str| matches!(&at.node.value, Value::Table(table) if table.contains_key(key));
        for (key, why) in [
            ("role", "it takes what no other takes"),
            ("url", "it is a directory of this machine"),
            ("bandwidth", "what is stored there goes by no wire"),
        ] {
            if name == TierName::local().as_str() && has(key) {
                at.context.error(
                    place,
                    format!("the tier `local` has no `{key}`: {why}"),
                    format!("remove `{key}`, or give this tier another name"),
                );
            }
        }
    }
    named(at, EntityKind::Tier, TierName::parse, |at, what| {
        at.fields(what, |fields| {
            let kind = match fields.get("kind") {
                None => Some(DIRECTORY),
                Some(at) => kind(at),
            };
            let Some((read, role)) = kind else {
                fields.accept_all();
                return None;
            };
            let role = fields.or("role", role, |at| one_of("what a tier is for", &ROLES, at));
            let place = read(fields);
            let bandwidth = fields.list(
                "bandwidth",
                "bandwidth = [{ from = \"08:00\", to = \"18:00\", limit = \"10MiB\" }]",
                bandwidth::bandwidth,
            );
            Some(TierSpec {
                place: place?,
                role,
                bandwidth,
            })
        })
    })
}

fn kind(at: ValueAt<'_>) -> Option<Kind> {
    match at.as_text() {
        // See docs/decisions/011-no-tier-over-webdav.md.
        Some(found @ ("http" | "webdav")) => at.refuse(
            format!(
                "`kind` is \"{found}\", and no tier is over WebDAV: what is cut off while it is put there stays, as if it were whole, in \
                 place of what was there"
            ),
            "mount it, and write kind = \"directory\" with where that is; or use its S3, where it has one: kind = \"s3\"",
        ),
        _ => one_of("a kind of tier", &KINDS, at),
    }
}

fn directory(fields: &mut Fields<'_>) -> Option<TierPlaceSpec> {
    let path = fields.required("path", "path = \"/mnt/backups\"", |at| {
        let path = path(at)?;
        let mut facts = at.context.facts.borrow_mut();
        facts.tier_paths.push((path.clone(), at.node.place));
        Some(path)
    });
    path.map(TierPlaceSpec::Directory)
}

/// Tiers that are in each other, in the state directory or among what is backed up, and tiers that nothing is stored in.
pub(super) fn judge(context: &Context<'_>, spec: &Spec) {
    apart(context, &spec.host);
    bucket::apart(context);
    let facts = context.facts.borrow();
    for (name, tier) in &spec.tiers {
        let is_default = tier.role != TierRole::Archive && !spec.jobs.is_empty();
        let key = (EntityKind::Tier, name.to_string());
        if let Some(place) = facts.defined.get(&key)
            && !is_default
            && !name.is_local()
            && !facts.tiers_of_jobs.contains(name)
        {
            context.warn(
                *place,
                format!("no job stores anything in the tier `{name}`"),
                format!("name it in a job, e.g. tiers = {{ full = [\"{name}\", \"local\"] }}, or remove it"),
            );
        }
    }
}

fn apart(context: &Context<'_>, host: &HostSpec) {
    let facts = context.facts.borrow();
    let own = [
        ("the state directory", plain(&host.state_dir)),
        ("the plugin directory", plain(&host.plugin_dir)),
    ];
    let mut known: Vec<PathBuf> = Vec::new();
    for (path, place) in &facts.tier_paths {
        let path = plain(path);
        let overlaps = |other: &PathBuf| path.starts_with(other) || other.starts_with(&path);
        let own = own.iter().find(|(_, own)| overlaps(own));
        let mut sources = facts.backed_up.iter().map(|(source, _)| plain(source));
        let what = match own {
            Some((what, _)) => Some((*what).to_owned()),
            None if known.iter().any(overlaps) => Some("the directory of another tier".to_owned()),
            None => {
                let source = sources.find(overlaps);
                source.map(|source| format!("the source {}", source.display()))
            }
        };
        if let Some(what) = what {
            context.error(
                *place,
                format!(
                    "the tier's directory {} and {what} lie in each other",
                    path.display()
                ),
                "name a directory that holds nothing but backups",
            );
        }
        known.push(path);
    }
}
