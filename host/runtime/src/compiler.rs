//! What turns a component into code.
//!
//! Invariant: what comes out is run: an implementation gives what [`compile`] gave, here or in a process of this very
//! program that nobody else can write to, and nothing that came from elsewhere.

use crate::{effects::Boxed, engine, memory};
use std::{sync::Arc, time::Duration};

/// The command of the program that compiles one component in a process of its own; people do not use it.
pub const COMMAND: &str = "compile-component";
/// CPU time that such a process may take.
pub const MAX_CPU: Duration = Duration::from_secs(120);
/// Memory that it may write to, bytes.
pub const MAX_MEMORY: u64 = 2 << 30;

/// Why a component was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// It cannot be: what the compiler says of it.
    #[error("{0}")]
    Component(String),
    /// It took too much, or broke the compiler, and would again; a whole sentence.
    #[error("{0}")]
    Fatal(String),
    /// It took too long, or somebody ended the compiler; a whole sentence.
    #[error("{0}")]
    Ended(String),
    /// It was ended for want of what the machine has for it, which may be the component's doing or anybody else's; a whole
    /// sentence.
    #[error("{0}")]
    Starved(String),
    /// The host could not do its part, and may at another time.
    #[error("{0}")]
    Host(String),
}

/// Compiles components.
pub trait Compiler: Send + Sync + 'static {
    /// Whether it works in another process. Who follows a directory then does not wait for it.
    fn is_apart(&self) -> bool;
    /// The code of a component, as [`compile`] gives it. Dropping the future ends the work.
    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>>;
}

/// Compiles in this process, on all its cores, without a bound: for tools, which look at one component.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Compiler for InProcess {
    fn is_apart(&self) -> bool {
        false
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        Box::pin(async move {
            let compiling = tokio::task::spawn_blocking(move || {
                let compiled = compile(&component, true);
                memory::release_to_os();
                compiled
            });
            let compiled = compiling.await;
            compiled
                .map_err(|error| CompileError::Host(format!("compiling was interrupted: {error}")))?
                .map_err(CompileError::Component)
        })
    }
}

/// Compiles a component. Blocking: one of 100 kB takes some 50 ms on one core.
pub fn compile(component: &[u8], on_all_cores: bool) -> Result<Vec<u8>, String> {
    let engine = engine::for_compiling(on_all_cores).map_err(|error| error.to_string())?;
    let compiled = engine.precompile_component(component);
    compiled.map_err(|error| format!("{error:#}"))
}
