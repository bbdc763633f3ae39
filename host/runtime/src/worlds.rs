//! The worlds of the contract, one file each: what a plugin of a kind exports and may import, what it is asked, and what
//! it answers.
//!
//! Invariant: what a world is stands here once; what reads a component's types, what links it and what calls it take it
//! from here. What its version of the contract makes of it stands in `bindings`.

mod alerter;
mod backup_source;
mod detector;
mod durable_recovery_handler;
mod recovery_handler;
mod recovery_strategy;
mod retention_policy;

pub(crate) use alerter::Alerter;
pub(crate) use backup_source::BackupSource;
pub(crate) use detector::Detector;
pub(crate) use durable_recovery_handler::DurableRecoveryHandler;
pub(crate) use recovery_handler::RecoveryHandler;
pub(crate) use recovery_strategy::RecoveryStrategy;
pub(crate) use retention_policy::RetentionPolicy;

use crate::{
    bindings::Program,
    call_state::CallState,
    contract_version::ContractVersion,
    effects::{Boxed, Purpose},
};
use mainstay_domain::{plugin::PluginKind, secret::Masked};
use std::fmt::Display;
use wasmtime::Store;

/// What a call answers: the answer of its world, which may be an error of its own.
pub(crate) type Answered<W> = wasmtime::Result<Result<<W as World>::Answer, <W as World>::Failure>>;

/// One world of the contract. `plugin` and `types` are in all of them.
pub(crate) trait World: Sized {
    /// Its kind, whose word is the name of the world.
    const KIND: PluginKind;
    /// The interface that identifies it.
    const EXPORT: &'static str;
    /// What it may import of `mainstay:plugin`.
    const IMPORTS: &'static [&'static str];
    /// The oldest contract that has it.
    const SINCE: ContractVersion;
    /// The function that is called.
    const FUNCTION: &'static str;
    /// What it is asked.
    type Request: Sync;
    /// What it answers.
    type Answer: Masked;
    /// Why it gives no answer.
    type Failure: Display + Masked;

    /// What such a call is for. Its operation, where it has one, has had so many `effects` before.
    fn purpose(request: &Self::Request, effects: u32) -> Purpose;

    /// Bytes that the answer may have beside `limits.result_bytes`.
    fn extra_result_bytes(_: &Self::Request) -> usize {
        0
    }

    /// Calls it.
    fn call<'s>(
        program: &'s Program,
        store: &'s mut Store<CallState>,
        request: &'s Self::Request,
    ) -> Boxed<'s, Answered<Self>>;
}

/// What the types of a component are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// See [`World::EXPORT`].
    pub(crate) export: &'static str,
    /// See [`World::IMPORTS`].
    pub(crate) imports: &'static [&'static str],
    /// See [`World::SINCE`].
    pub(crate) since: ContractVersion,
}

impl Facts {
    fn of<W: World>() -> Self {
        Self {
            export: W::EXPORT,
            imports: W::IMPORTS,
            since: W::SINCE,
        }
    }
}

/// The world of a kind.
pub(crate) fn facts(kind: PluginKind) -> Facts {
    match kind {
        PluginKind::RecoveryHandler => Facts::of::<RecoveryHandler>(),
        PluginKind::Alerter => Facts::of::<Alerter>(),
        PluginKind::RetentionPolicy => Facts::of::<RetentionPolicy>(),
        PluginKind::Detector => Facts::of::<Detector>(),
        PluginKind::RecoveryStrategy => Facts::of::<RecoveryStrategy>(),
        PluginKind::BackupSource => Facts::of::<BackupSource>(),
        PluginKind::DurableRecoveryHandler => Facts::of::<DurableRecoveryHandler>(),
    }
}

/// The interfaces that came into a world which was there before them, and with which contract.
const NEWER: [(&str, ContractVersion); 2] = [
    ("signed-http", ContractVersion::V1_2_0),
    ("mail", ContractVersion::V1_2_0),
];

/// Whether the contract has this interface of a world that it has.
pub(crate) fn is_there(interface: &str, contract: ContractVersion) -> bool {
    let mut newer = NEWER.iter();
    let came = newer.find(|(name, _)| *name == interface);
    came.is_none_or(|(_, since)| *since <= contract)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use wit_parser::{Resolve, WorldItem};

    /// The interfaces of `mainstay:plugin` among some items of a world, sorted.
    fn interfaces<'a>(
        resolve: &Resolve,
        items: impl Iterator<Item = &'a WorldItem>,
    ) -> Vec<String> {
        let mut names: Vec<String> = items
            .filter_map(|item| match item {
                WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.clone(),
                WorldItem::Function(_) | WorldItem::Type { .. } => None,
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn each_world_is_what_the_wit_says() {
        for version in ContractVersion::ALL {
            let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit");
            let mut resolve = Resolve::default();
            let directory = wit.join(version.version().to_string());
            let (package, _) = resolve.push_dir(&directory).unwrap();
            let there = resolve.packages[package].worlds.clone();
            for kind in PluginKind::ALL {
                let Facts {
                    export,
                    imports,
                    since,
                } = facts(kind);
                let world = there.get(kind.as_str());
                assert_eq!(world.is_some(), since <= version, "{kind} of {version:?}");
                let Some(world) = world.map(|id| &resolve.worlds[*id]) else {
                    continue;
                };
                let of_it = imports.iter().filter(|name| is_there(name, version));
                let mut expected: Vec<String> = of_it.map(|name| (*name).to_owned()).collect();
                expected.sort();
                let mut found = interfaces(&resolve, world.imports.values());
                // What uses no types does not import them; a plugin of any kind may.
                if !found.contains(&"types".to_owned()) {
                    found.push("types".to_owned());
                    found.sort();
                }
                assert_eq!(found, expected, "imports of {kind}");
                let found = interfaces(&resolve, world.exports.values());
                let mut expected = vec!["plugin".to_owned(), export.to_owned()];
                expected.sort();
                assert_eq!(found, expected, "exports of {kind}");
            }
        }
    }
}
