//! Files that change while others are built, under a clock that the test moves.

use super::*;
use crate::{
    compiler::{self, CompileError, Compiler, InProcess},
    effects::Boxed,
    engine::{Engine, Ticking},
    host::{Specs, shared::HostShared},
    loader::{Loader, LoaderOptions, Now},
    testing::{Guest, Recorder},
};
use mainstay_domain::{plugin_file::FileRest, time::Monotonic};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

const SETTLING: Duration = Duration::from_millis(250);
const REST: FileRest = FileRest {
    settling: SETTLING,
    patience: Duration::from_secs(10),
    limit: Duration::from_secs(600),
};

struct Bench {
    reloader: Reloader,
    recorder: Arc<Recorder>,
    millis: Arc<AtomicU64>,
    directory: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_with(Arc::new(InProcess))
}

fn bench_with(compiler: Arc<dyn Compiler>) -> Bench {
    let (recorder, millis) = (Arc::new(Recorder::default()), Arc::new(AtomicU64::new(0)));
    let clock = millis.clone();
    let now: Now =
        Arc::new(move || Monotonic::from_start(Duration::from_millis(clock.load(SeqCst))));
    let engine = Engine::with_ticking(Ticking::Thread).unwrap();
    let mut options = LoaderOptions::new(engine, recorder.clone());
    options.now = now.clone();
    options.compiler = compiler;
    let directory = tempfile::tempdir().unwrap();
    let reloader = Reloader::new(
        directory.path().to_owned(),
        Loader::new(options).unwrap(),
        None,
        Arc::new(HostShared::new(recorder.clone(), now)),
        (REST, Duration::from_secs(3)),
        Specs::new(),
    );
    Bench {
        reloader,
        recorder,
        millis,
        directory,
    }
}

impl Bench {
    /// Notes what lies there now.
    async fn look(&mut self) {
        let found = self.reloader.watch.list().await.unwrap();
        self.reloader.track(&found, |_| false);
    }

    fn pass(&self, time: Duration) {
        self.millis
            .fetch_add(u64::try_from(time.as_millis()).unwrap(), SeqCst);
    }

    fn events(&self) -> usize {
        self.recorder.events.lock().len()
    }
}

/// A compiler that the machine has no memory for the first time.
#[derive(Default)]
struct Starved(AtomicBool);

impl Compiler for Starved {
    fn is_apart(&self) -> bool {
        false
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        let is_first = !self.0.swap(true, SeqCst);
        Box::pin(async move {
            match is_first {
                true => Err(CompileError::Starved("it was killed".to_owned())),
                false => compiler::compile(&component, false).map_err(CompileError::Component),
            }
        })
    }
}

#[tokio::test]
async fn what_the_machine_had_no_memory_to_compile_is_refused_and_tried_again_after_a_while() {
    let mut bench = bench_with(Arc::new(Starved::default()));
    let path = bench.directory.path().join("b.wasm");
    fs::write(&path, Guest::default().build()).unwrap();
    bench.look().await;
    bench.pass(REST.patience);
    assert!(bench.reloader.process_file(&path).await.is_some());
    assert_eq!(bench.events(), 1, "it is told");
    bench.pass(STARVED_FOR / 2);
    assert!(bench.reloader.process_file(&path).await.is_some());
    assert_eq!(bench.reloader.digest_of(&path), None, "not so soon");
    bench.pass(STARVED_FOR);
    assert_eq!(bench.reloader.process_file(&path).await, None);
    assert!(bench.reloader.digest_of(&path).is_some());
}

#[tokio::test]
async fn a_file_that_changed_since_the_last_look_has_not_settled() {
    let mut bench = bench();
    let (path, whole) = (
        bench.directory.path().join("b.wasm"),
        Guest::default().build(),
    );
    fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    bench.look().await;
    // Another file is built, and meanwhile this one grows.
    bench.pass(2 * SETTLING);
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let wait = bench.reloader.process_file(&path).await;
    assert_eq!(wait, Some(REST.patience), "it was written with a pause");
    assert_eq!(bench.events(), 0, "neither loaded nor refused");

    fs::write(&path, &whole).unwrap();
    bench.look().await;
    bench.pass(REST.patience);
    assert_eq!(bench.reloader.process_file(&path).await, None);
    assert!(bench.reloader.digest_of(&path).is_some());
    assert_eq!(bench.events(), 0);
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_once_however_often_it_grows() {
    let mut bench = bench();
    let (path, whole) = (
        bench.directory.path().join("b.wasm"),
        Guest::default().build(),
    );
    for piece in 1..=10 {
        fs::write(&path, &whole[..whole.len() * piece / 20]).unwrap();
        bench.look().await;
        bench.pass(REST.patience);
        assert_eq!(bench.reloader.process_file(&path).await, None);
        assert_eq!(bench.events(), 1, "piece {piece}");
    }
    fs::write(&path, &whole).unwrap();
    bench.look().await;
    bench.pass(REST.patience);
    assert_eq!(bench.reloader.process_file(&path).await, None);
    assert!(bench.reloader.digest_of(&path).is_some());
    assert_eq!(bench.events(), 1);
}

#[tokio::test]
async fn a_file_in_pieces_is_refused_never() {
    let mut bench = bench();
    let (path, whole) = (
        bench.directory.path().join("b.wasm"),
        Guest::default().build(),
    );
    for piece in 1..20 {
        fs::write(&path, &whole[..whole.len() * piece / 20]).unwrap();
        // Closed after every piece, and read when that has settled.
        let found = bench.reloader.watch.list().await.unwrap();
        bench.reloader.track(&found, |_| true);
        bench.pass(SETTLING + Duration::from_millis(50));
        assert!(bench.reloader.process_file(&path).await.is_some());
    }
    fs::write(&path, &whole).unwrap();
    let found = bench.reloader.watch.list().await.unwrap();
    bench.reloader.track(&found, |_| true);
    assert_eq!(bench.reloader.process_file(&path).await, None);
    assert!(bench.reloader.digest_of(&path).is_some());
    assert_eq!(bench.events(), 0);
}

#[tokio::test]
async fn a_file_that_is_gone_when_its_turn_comes_is_not_refused() {
    let mut bench = bench();
    let path = bench.directory.path().join("b.wasm");
    fs::write(&path, b"").unwrap();
    bench.look().await;
    bench.pass(2 * SETTLING);
    fs::remove_file(&path).unwrap();
    assert_eq!(bench.reloader.process_file(&path).await, Some(SETTLING));
    assert_eq!(bench.events(), 0);
}

#[test]
fn what_fails_while_the_host_lacks_something_itself_is_no_refusal_of_a_file() {
    let refusal = |reason| Refusal {
        plugin: None,
        digest: String::new(),
        reason,
        flaw: FileFlaw::Content,
    };
    let lacking = || LoadError::Lacking {
        what: "hook.wasm".to_owned(),
        why: "too many open files".to_owned(),
    };
    let broken = || LoadError::Compile("no memory can be mapped".to_owned());
    let lack = || Some(io::Error::from_raw_os_error(libc::EMFILE));
    assert!(without_lack(refusal(lacking()), || None).is_none());
    assert!(without_lack(refusal(broken()), lack).is_none());
    let kept = without_lack(refusal(broken()), || None);
    assert!(kept.is_some(), "that is of the file");
}
