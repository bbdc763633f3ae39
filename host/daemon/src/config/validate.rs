//! From the config's tree to the validated [`Spec`].
//!
//! Invariant: everything that a [`Spec`]'s docs promise is checked here, and every problem of a config is reported in
//! one run: a part that cannot be read does not keep the others from being read.

mod bandwidth;
mod breaker;
mod check;
mod escalation;
mod host;
mod job;
mod judge;
mod mail;
mod maintenance;
mod plugin;
mod policy;
mod route;
mod ruled;
mod runner;
mod target;
mod telemetry;
mod tier;

use super::{
    context::{Context, EntityKind, Facts},
    document::{Node, Place, Table, Value},
    problem::Problem,
    reader::{Fields, ValueAt},
    values::name_help,
};
use mainstay_domain::{name::InvalidName, spec::Spec};
use std::{borrow::Borrow, collections::BTreeMap};

/// The spec where there is no error, and in any case what is wrong and what was learnt.
pub(crate) fn validate(
    context: Context<'_>,
    table: Table,
    digest: String,
) -> (Option<Spec>, Vec<(Place, Problem)>, Facts) {
    let start = Place {
        file: 0,
        start: 0,
        end: 0,
    };
    let root = Node {
        place: start,
        value: Value::Table(table),
    };
    let whole = ValueAt {
        context: &context,
        node: &root,
        key: "config",
    };
    let spec = whole.fields("the config", |fields| read(fields, digest));
    judge::references(&context);
    judge::cycles(&context);
    if let Some(spec) = &spec {
        judge::secrets(&context, &spec.plugins);
        judge::stores(&context, spec);
        tier::judge(&context, spec);
        judge::instances(&context, &spec.plugins);
        job::hooks(&context, &spec.commands);
        job::drills(&context, spec);
        job::identities(&context, spec);
    }
    if let Some(spec) = spec.as_ref().filter(|_| context.is_usable()) {
        judge::routes(&context, &spec.routes);
        judge::alerts(&context, &spec.alerts);
        judge::restores(&context, spec);
        ruled::judge(&context, &spec.routes);
    }
    let (problems, facts) = context.into_problems();
    (spec, problems, facts)
}

fn read(fields: &mut Fields<'_>, digest: String) -> Option<Spec> {
    let host = fields.required(
        "host",
        "[host] with state_dir = \"state\" and plugin_dir = \"plugins\"",
        host::host,
    );
    let breakers = fields.or("breaker", Default::default(), breaker::presets);
    let target = |at| target::target(at, &breakers);
    let host_name = host.as_ref().map_or("", |host| host.name.as_str());
    let job = |at| job::job(at, host_name);
    Some(Spec {
        targets: fields.list("target", "[[target]]", target).into(),
        commands: fields.or("command", Default::default(), host::commands),
        smtp: fields.or("smtp", Default::default(), mail::accounts),
        secrets: fields.or("secrets", Default::default(), host::secrets),
        routes: fields.list("route", "[[route]]", route::route),
        plugins: fields.or("plugin", Default::default(), plugin::plugins),
        alerts: fields.list("alert", "[[alert]]", route::alert),
        tiers: fields.or("tier", Default::default(), tier::tiers),
        jobs: fields.list("job", "[[job]]", job),
        maintenance: fields.list("maintenance", "[[maintenance]]", maintenance::maintenance),
        escalation: escalation::escalation(fields),
        policy: policy::policy(fields),
        statsd: fields.or("telemetry", None, telemetry::telemetry),
        host: host?,
        digest,
    })
}

/// Reads a table whose keys are names of things that it defines.
fn named<'a, N: Ord + Borrow<str>, T>(
    at: ValueAt<'a>,
    thing: EntityKind,
    parse: fn(&str) -> Result<N, InvalidName>,
    read: impl Fn(ValueAt<'a>, &str) -> Option<T>,
) -> Option<BTreeMap<N, T>> {
    let mut found = BTreeMap::new();
    for (key, place, at) in at.entries() {
        let name = parse(key);
        match &name {
            Ok(name) => at.context.define(thing, name.borrow(), place),
            Err(error) => {
                let help = name_help(key).replace('"', "");
                at.context.error(place, error.to_string(), help);
            }
        }
        let value = read(at, &format!("{} `{key}`", thing.as_str()));
        if let (Ok(name), Some(value)) = (name, value) {
            found.insert(name, value);
        }
    }
    Some(found)
}
