//! From the bytes of a component to its code: out of the cache, or compiled and kept there.

use super::Loader;
use crate::{
    cache,
    compiler::CompileError,
    contract::{self, Shape},
    error::LoadError,
    memory,
};
use std::sync::Arc;
use wasmtime::component::Component;

/// What is known of a component before it runs, and its code, where it was compiled before.
pub(super) type LookedUp = (blake3::Hash, Shape, Option<Component>);

impl Loader {
    /// Whether to load these bytes takes the compiler, which works apart: nobody need wait for it.
    pub(crate) async fn must_compile_apart(&self, bytes: &Arc<[u8]>) -> bool {
        let looked_up = self.shared.compiler.is_apart().then(|| self.look_up(bytes));
        match looked_up {
            Some(looked_up) => matches!(looked_up.await, Ok((_, _, None))),
            None => false,
        }
    }

    pub(super) async fn look_up(&self, bytes: &Arc<[u8]>) -> Result<LookedUp, LoadError> {
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
                None => Ok((digest, shape, cached)),
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
