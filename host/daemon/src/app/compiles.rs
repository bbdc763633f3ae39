//! A compiler whose work is counted.

use crate::services::metrics::Numbers;
use mainstay_runtime::{
    compiler::{CompileError, Compiler},
    effects::Boxed,
};
use std::{sync::Arc, time::Instant};

/// Another compiler, and where it is counted what it does.
pub(super) struct CountedCompiler<C> {
    compiler: C,
    numbers: Numbers,
}

impl<C: Compiler> CountedCompiler<C> {
    /// Counts what this one does.
    pub(super) fn new(compiler: C, numbers: Numbers) -> Self {
        Self { compiler, numbers }
    }
}

impl<C: Compiler> Compiler for CountedCompiler<C> {
    fn is_apart(&self) -> bool {
        self.compiler.is_apart()
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        Box::pin(async move {
            let begin = Instant::now();
            let compiled = self.compiler.compile(component).await;
            let outcome = if compiled.is_ok() {
                "compiled"
            } else {
                "failed"
            };
            self.numbers.compiled(outcome, begin.elapsed());
            compiled
        })
    }
}
