//! What the generated bindings call: the part of `wit_bindgen::rt` (0.61, MIT or Apache-2.0) that the contract needs.
//!
//! It is here so that a plugin depends on no crate of a registry. `cabi_realloc`, by which the host allocates in a
//! guest, comes with the standard library of `wasm32-wasip2`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{NonNull, null_mut};

/// Called by the bindings so that the linker visits them; on `wasm32-wasip2` there is nothing more to link.
pub fn maybe_link_cabi_realloc() {}

/// Runs static constructors before the first call of an export, once: called by hand here, or else the linker would run
/// them in front of every call.
#[cfg(target_arch = "wasm32")]
pub fn run_ctors_once() {
    use std::sync::atomic::{AtomicBool, Ordering};

    static RUN: AtomicBool = AtomicBool::new(false);
    if !RUN.swap(true, Ordering::Relaxed) {
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker makes this function, and it is called once.
        unsafe { __wasm_call_ctors() };
    }
}

/// Memory of an argument, freed when the call is over.
pub struct Cleanup {
    memory: NonNull<u8>,
    layout: Layout,
}

impl Cleanup {
    /// Allocates; of no bytes there is a null pointer and nothing to free.
    pub fn new(layout: Layout) -> (*mut u8, Option<Cleanup>) {
        if layout.size() == 0 {
            return (null_mut(), None);
        }
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc(layout) };
        match NonNull::new(memory) {
            Some(memory) => (memory.as_ptr(), Some(Cleanup { memory, layout })),
            None => handle_alloc_error(layout),
        }
    }

    /// Leaves the memory to whom it was handed.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and is freed once.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}
