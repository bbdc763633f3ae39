//! Components that are written by hand: small plugins by any name, and what makes one large, or long to compile.

use crate::repository;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A recovery handler that reports success and does nothing, of this name and of version 1.0.0.
pub fn handler(name: &str) -> Vec<u8> {
    let core = format!(
        r#"(module
            (memory (export "memory") 1)
            (global $heap (mut i32) (i32.const 4096))
            (data (i32.const 1024) "{name}")
            (data (i32.const 2048) "1.0.0")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "mainstay:plugin/plugin@1.0.0#describe") (result i32)
                (i32.store (i32.const 768) (i32.const 1024))
                (i32.store (i32.const 772) (i32.const {length}))
                (i32.store (i32.const 776) (i32.const 2048))
                (i32.store (i32.const 780) (i32.const 5))
                (i32.const 768))
            (func (export "mainstay:plugin/plugin@1.0.0#configure") (param i32 i32) (result i32)
                (i32.const 256))
            (func (export "mainstay:plugin/recovery@1.0.0#recover") (param i32) (result i32)
                (i32.const 256)))"#,
        length = name.len()
    );
    let mut resolve = Resolve::default();
    let wit = repository().join("plugin-sdk/wit/1.0.0");
    let (package, _) = resolve.push_dir(&wit).unwrap();
    let world = resolve
        .select_world(&[package], Some("recovery-handler"))
        .unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

/// The component with a core module more that nothing uses, of about so many bytes of code: it is compiled all the same.
pub fn with_code(component: &[u8], bytes: usize) -> Vec<u8> {
    const STEPS: usize = 500;
    let mut body = vec![1, 62, 0x7e];
    for step in 0..STEPS {
        // x[d] = (x[a] * x[b]) ^ x[c]
        let local = |times: usize| u8::try_from((step * times + times) % 64).unwrap();
        body.extend([
            0x20,
            local(3),
            0x20,
            local(5),
            0x7e,
            0x20,
            local(7),
            0x85,
            0x21,
            local(11),
        ]);
    }
    body.extend([0x20, 0, 0x0b]);
    let function = [leb(body.len()), body].concat();
    let functions = (bytes / function.len()).max(1);
    let types = [1, 0x60, 2, 0x7e, 0x7e, 1, 0x7e];
    let of_type = [leb(functions), vec![0; functions]].concat();
    let code = [leb(functions), function.repeat(functions)].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &types),
        section(3, &of_type),
        section(10, &code),
    ]
    .concat();
    [component.to_vec(), section(1, &module)].concat()
}

/// The component with so many bytes more that mean nothing.
pub fn with_padding(component: &[u8], bytes: usize) -> Vec<u8> {
    let padding = [b"\x03pad".to_vec(), vec![b'x'; bytes]].concat();
    [component.to_vec(), section(0, &padding)].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
