//! From the bytes of a component to its code: out of the cache, or compiled and kept there.

use super::Loader;
use crate::{
    cache,
    compiler::CompileError,
    component_file::{MAX_PLUGIN_BYTES, check_size},
    contract::{self, Shape},
    error::LoadError,
    memory,
};
use std::sync::Arc;
use wasmtime::component::Component;

/// What is known of a component before it runs, and its code, where it was compiled before.
pub(crate) struct LookedUp {
    pub(super) digest: blake3::Hash,
    pub(super) shape: Shape,
    pub(super) cached: Option<Component>,
}

impl LookedUp {
    pub(crate) fn is_compiled(&self) -> bool {
        self.cached.is_some()
    }
}

impl Loader {
    /// Whether what has to be compiled is compiled apart: nobody need wait for it.
    pub(crate) fn compiles_apart(&self) -> bool {
        self.shared.compiler.is_apart()
    }

    /// Checks the contract, and looks whether it was compiled before.
    pub(crate) async fn look_up(&self, bytes: &Arc<[u8]>) -> Result<LookedUp, LoadError> {
        check_size(bytes.len() as u64, MAX_PLUGIN_BYTES)?;
        let (shared, bytes) = (self.shared.clone(), bytes.clone());
        let looking = tokio::task::spawn_blocking(move || -> Result<LookedUp, LoadError> {
            let digest = blake3::hash(&bytes);
            let shape = contract::check(&bytes)?;
            let cache = shared.cache.as_ref();
            let cached = cache.and_then(|cache| cache.get(&shared.engine, &digest));
            // What ended the compiler once is not to do it again at each start.
            let refusal = cache
                .filter(|_| cached.is_none())
                .and_then(|cache| cache.refusal(&shared.engine, &digest));
            match refusal {
                Some(refusal) => Err(refusal.into()),
                None => Ok(LookedUp {
                    digest,
                    shape,
                    cached,
                }),
            }
        });
        looking
            .await
            .map_err(|error| LoadError::Host(format!("loading was interrupted: {error}")))?
    }

    pub(super) async fn compile(
        &self,
        digest: blake3::Hash,
        bytes: Arc<[u8]>,
    ) -> Result<Component, LoadError> {
        let compiled = match self.shared.compiler.compile(bytes).await {
            Ok(compiled) => compiled,
            Err(error) => return Err(self.remember(digest, error).await),
        };
        let shared = self.shared.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            if let Some(cache) = &shared.cache {
                cache.put(&shared.engine, &digest, &compiled);
            }
            let component = cache::deserialize(&shared.engine, &compiled);
            drop(compiled);
            memory::release_to_os();
            component
        });
        let kept = keeping
            .await
            .map_err(|error| LoadError::Host(format!("loading was interrupted: {error}")))?;
        kept.map_err(|error| {
            LoadError::Host(format!("what was compiled of it cannot be used: {error}"))
        })
    }

    /// Keeps that it cannot be compiled, where that is so.
    async fn remember(&self, digest: blake3::Hash, error: CompileError) -> LoadError {
        let (shared, why) = (self.shared.clone(), error.clone());
        let keeping = tokio::task::spawn_blocking(move || {
            if let Some(cache) = &shared.cache {
                cache.put_refusal(&shared.engine, &digest, &why);
            }
        });
        if let Err(error) = keeping.await {
            tracing::warn!(%error, "that a plugin cannot be compiled is not remembered");
        }
        error.into()
    }
}
